"""What a 2D classifier is given: which part of a slice, at which size, in which HU windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import torch
from torch.nn import functional

from transforms.errors import SettingError
from transforms.hu_windows import HUWindow, HUWindows, WindowForm
from transforms.slabs import check_slices
from transforms.slices.body import Region, SliceBox, slice_region
from transforms.slices.tones import Tones, retoned


@dataclass(frozen=True, kw_only=True)
class SliceInput:
    """The settings that training, validation and inference share, so that a network sees what it was trained on.

    Attributes:
        image_size: Rows and columns of the input; `None` keeps the sides' ratio at `shorter_side`.
        shorter_side: Pixels of the shorter side where `image_size` is `None`.
        region: What of a slice is kept: the box of the `lungs`, of the `body`, or `all` of it.
        blank_outside: Whether everything outside the body becomes air: letters, arrows, table, frames.
        windows: HU windows, each one channel.
        scaling: `scaling`, `mean` and `std` of :class:`transforms.HUWindows`.
        image_window: The HU window that a picture is taken to show.
        tones: Whether the window in which a picture was printed may be seen. `shown`: grays as they are; `anchored`:
            moved and stretched so that aerated lung and muscle have the same ones in all slices; `equalised`: their
            ranks within the body, whatever the window and the curve of the grays were.
        slices: Slices of a slab (2.5D), odd; a picture is repeated.
        copies: Copies of each channel: 3 for networks made for colour.

    Raises:
        SettingError: When a setting cannot be used.
    """

    image_size: Sequence[int] | None = (224, 224)
    shorter_side: int = 256
    region: Region = "body"
    blank_outside: bool = True
    windows: Sequence[Any] = ("lung",)
    scaling: Mapping[str, Any] = field(default_factory=lambda: {"scaling": "unit"})
    image_window: WindowForm = "lung"
    tones: Tones = "shown"
    slices: int = 1
    copies: int = 1

    def __post_init__(self) -> None:
        check_slices(self.slices)
        if self.region not in get_args(Region):
            raise SettingError(
                "the region of interest is unknown", where="region", found=self.region,
                expected=", ".join(get_args(Region)),
            )  # fmt: skip
        if self.tones not in get_args(Tones):
            raise SettingError(
                "the way to treat grays is unknown", where="tones", found=self.tones,
                expected=", ".join(get_args(Tones)),
            )  # fmt: skip
        sides = [self.shorter_side] if self.image_size is None else list(self.image_size)
        if any(side < 1 for side in sides) or (self.image_size is not None and len(sides) != 2) or self.copies < 1:
            raise SettingError(
                "the size of the network's input cannot be", where="image_size", found=sides, expected="[rows, columns]"
            )
        HUWindow.from_config(self.image_window)
        self._windows()

    @classmethod
    def of(cls, settings: SliceInput | Mapping[str, Any]) -> SliceInput:
        """The settings of a config's mapping."""
        return settings if isinstance(settings, SliceInput) else cls(**settings)

    @property
    def channels(self) -> int:
        """Channels of the network's input."""
        return len(self._windows().windows) * self.slices * self.copies

    def __call__(self, slab: torch.Tensor) -> tuple[torch.Tensor, SliceBox]:
        """The network's input from a slab in HU.

        Args:
            slab: `(1, slices, H, W)`, not changed; its middle slice decides what is kept.

        Returns:
            `(channels, rows, columns)` float32, and the box of the slice that it shows.
        """
        shown = HUWindow.from_config(self.image_window)
        found = slice_region(slab[0, slab.shape[1] // 2].clamp(shown.low, shown.high).numpy(), self.region)
        windows = self._windows()
        slab = retoned(slab, found.body, shown, self.tones)
        if self.blank_outside and found.body is not None:
            slab = slab.masked_fill(torch.from_numpy(~found.body), min(window.low for window in windows.windows))
        top, left, bottom, right = found.box
        # Windowed before it is resized: pictures come with their window applied.
        part = windows(slab[:, :, top:bottom, left:right])
        size = self._size(part.shape[-2:])
        part = functional.interpolate(part, size=size, mode="bilinear", antialias=True, align_corners=False)
        return part.flatten(0, 1).repeat(self.copies, 1, 1), found.box

    def _windows(self) -> HUWindows:
        return HUWindows(self.windows, **self.scaling)

    def _size(self, shape: torch.Size) -> tuple[int, int]:
        if self.image_size is not None:
            rows, columns = self.image_size
            return int(rows), int(columns)
        factor = self.shorter_side / min(shape)
        return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))

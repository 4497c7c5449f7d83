"""How stacks of slices are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from transforms.errors import SettingError
from transforms.hu_windows import HUWindow, WindowForm


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """How slices become the volume that a 2D network is given.

    Attributes:
        image_window: The HU window that a picture is taken to show from black to white, and that a CT is shown in
            where the network looks at colours.
        colour: Red, green and blue, 0 to 1, in place of one channel in HU.
        mask_values: For masks with a channel a class, the label value of each channel, in order.

    Raises:
        SettingError: When a setting is unknown or cannot be used.
    """

    image_window: WindowForm = "lung"
    colour: bool = False
    mask_values: Sequence[int] | None = None

    def __post_init__(self) -> None:
        HUWindow.from_config(self.image_window)
        if self.mask_values is not None and any(not 0 <= int(value) <= 255 for value in self.mask_values):
            raise SettingError(
                "a mask's channels stand for impossible values", where="mask_values", found=list(self.mask_values),
                expected="0 to 255",
            )  # fmt: skip

    @classmethod
    def of(cls, settings: StackSettings | Mapping[str, Any]) -> StackSettings:
        """The settings of a config's mapping."""
        if isinstance(settings, StackSettings):
            return settings
        known = [field.name for field in fields(cls)]
        for name in settings:
            if name not in known:
                raise SettingError(
                    "stacks of slices have no such setting", where="stack", found=name, expected=", ".join(known)
                )
        return cls(**settings)

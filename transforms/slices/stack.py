"""The axial slices of a picture or a volume, as a radiologist sees them, in HU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor
from nibabel.orientations import apply_orientation, axcodes2ornt, io_orientation, ornt_transform
from numpy.typing import NDArray

from transforms.errors import DataListError
from transforms.file_kinds import is_image
from transforms.hu_windows import HUWindow, WindowForm
from transforms.reading import read_ct
from transforms.slabs import check_slices
from transforms.slices.image_file import read_image


@dataclass(frozen=True, kw_only=True)
class SliceStack:
    """Axial slices: rows from front to back, columns from the patient's right to the left.

    Attributes:
        hu: `(N, H, W)` in HU; of a picture the one slice, its gray values taken for HU in a window.
        volume: The volume as read; `None` for a picture.
        reversed: Whether slice 0 of the stack is the last of the volume's own axial axis.
        findings: What is noteworthy, as short sentences.
        path: What the user gave.
    """

    hu: np.ndarray[Any, np.dtype[Any]]
    volume: MetaTensor | None
    reversed: bool
    findings: tuple[str, ...]
    path: str

    def __len__(self) -> int:
        return int(self.hu.shape[0])

    def position(self, index: int) -> int:
        """Where the slice with an index of the volume's own axial axis stands in the stack.

        Raises:
            DataListError: When the volume has no such slice.
        """
        if not 0 <= index < len(self):
            raise DataListError(
                "the volume has no such slice", where=self.path, found=index, expected=f"0 to {len(self) - 1}",
                remedy="Count slices from 0, along the volume's own axis",
            )  # fmt: skip
        return len(self) - 1 - index if self.reversed else index

    def slab(self, position: int, slices: int = 1) -> torch.Tensor:
        """A slice with its neighbours, `(1, slices, H, W)` float32; at the ends the outermost slice is repeated."""
        reach = check_slices(slices) // 2
        places = np.clip(np.arange(position - reach, position + reach + 1), 0, len(self) - 1)
        return torch.from_numpy(np.ascontiguousarray(self.hu[places], dtype=np.float32))[None]

    def on_volume(self, masks: NDArray[Any]) -> NDArray[Any]:
        """Brings `(N, H, W)` of the slices, in the order of the stack, back to `(X, Y, Z)` of the volume.

        Raises:
            DataListError: When the stack is a picture.
        """
        if self.volume is None:
            raise DataListError("a picture has no volume", where=self.path, remedy="Give the CT that it comes from")
        back = ornt_transform(axcodes2ornt("LPS"), io_orientation(np.asarray(self.volume.affine)))
        return np.asarray(apply_orientation(masks.transpose(2, 1, 0), back))


def read_stack(
    path: str | PathLike[str],
    *,
    image_window: WindowForm = "lung",
    series_uid: str | None = None,
    allow: Sequence[str] = (),
) -> SliceStack:
    """Reads a picture or a CT volume.

    Args:
        path: A PNG or JPEG, or whatever :func:`transforms.read_ct` takes.
        image_window: The HU window that a picture is taken to show from black to white.
        series_uid: The DICOM series to read where there are several.
        allow: What the reader would otherwise refuse.

    Raises:
        CTError: One of the family for every input that cannot be read or trusted.
    """
    if is_image(path):
        gray, noticed = read_image(path)
        window = HUWindow.from_config(image_window)
        hu = window.low + gray.astype(np.float32) * ((window.high - window.low) / 255)
        return SliceStack(hu=hu[None], volume=None, reversed=False, findings=tuple(noticed), path=str(path))
    volume = read_ct(path, series_uid=series_uid, allow=sorted(allow), smallest=True).to_metatensor(None)
    here = io_orientation(np.asarray(volume.affine))
    seen = np.asarray(
        apply_orientation(volume.as_subclass(torch.Tensor)[0].numpy(), ornt_transform(here, axcodes2ornt("LPS")))
    )
    # Of the volume's own axis that runs along the body, whether it runs to the feet.
    descending = bool(here[int(np.flatnonzero(here[:, 0] == 2)[0]), 1] < 0)
    findings = tuple(str(finding) for finding in volume.meta.get("findings", ()))
    return SliceStack(hu=seen.transpose(2, 1, 0), volume=volume, reversed=descending, findings=findings, path=str(path))

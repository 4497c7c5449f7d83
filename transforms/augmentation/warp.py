"""A drawn patch: its place and deformation, applied to volumes, written down and undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from transforms.augmentation.deformation import Deformation
from transforms.augmentation.inverting import inverse_positions
from transforms.augmentation.positions import Positions
from transforms.augmentation.sampling import Mode, grid_sample, sample_patches


@dataclass(frozen=True, kw_only=True, eq=False)
class Warp:
    """One patch of a volume.

    Attributes:
        patch_size: Its voxels.
        centre: `(3,)` its centre in the volume, in voxels.
        spacing_mm: `(3,)` of the volume and the patch.
        deformation: How it is deformed.
    """

    patch_size: tuple[int, int, int]
    centre: NDArray[np.float64]
    spacing_mm: NDArray[np.float64]
    deformation: Deformation

    @property
    def start(self) -> NDArray[np.float64]:
        """Where the first voxel of the patch lies in the volume, were it not deformed."""
        return self.centre - (np.asarray(self.patch_size) - 1) / 2

    @property
    def is_crop(self) -> bool:
        """Whether every voxel of the patch is a voxel of the volume."""
        return self.deformation.is_identity and bool((self.start == np.round(self.start)).all())

    @property
    def positions(self) -> Positions:
        """Where the voxels of the patch are sampled."""
        return Positions.of(self.deformation, self.patch_size, self.spacing_mm, self.centre)

    def needed(self, shape: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First and last but one voxel along each axis of the box of a volume that the patch shows; never empty."""
        if self.is_crop:
            low, high = self.start, self.start + np.asarray(self.patch_size)
        else:
            low, high = np.floor(self.positions.low - 1), np.floor(self.positions.high + 1) + 2
        start = low.astype(np.int64).clip(0, np.asarray(shape) - 1)
        return start, np.maximum(high.astype(np.int64).clip(0, shape), start + 1)

    def apply(
        self, volumes: Sequence[torch.Tensor], modes: Sequence[Mode], outside: Sequence[float]
    ) -> list[torch.Tensor]:
        """Samples the patch out of volumes on one grid, see :func:`sample_patches`. A crop is copied, not sampled."""
        if not self.is_crop:
            return sample_patches(volumes, self.positions, modes, outside)
        start = self.start.astype(int)
        return [_moved(volume, start, self.patch_size, value) for volume, value in zip(volumes, outside, strict=True)]

    def undo(self, patch: torch.Tensor, shape: Sequence[int], *, mode: Mode, outside: float) -> torch.Tensor:
        """Brings a patch `(C, *patch_size)` back to its place in a volume `(C, *shape)`; elsewhere is `outside`."""
        if self.is_crop:
            return _moved(patch, -self.start.astype(int), shape, outside)
        positions = self.positions
        low = np.floor(positions.low).astype(int).clip(0, shape)
        high = (np.floor(positions.high).astype(int) + 2).clip(0, shape)
        whole = patch.new_full((len(patch), *shape), outside)
        if (low < high).all():
            places = inverse_positions(
                self.deformation, self.patch_size, self.spacing_mm, low - self.centre, high - low
            )
            box = grid_sample(patch[None], places[None].to(patch.device), mode=mode, outside=outside)[0]
            whole[(slice(None), *(slice(a, b) for a, b in zip(low, high, strict=True)))] = box.to(patch.dtype)
        return whole

    def record(self) -> dict[str, Any]:
        """All of it as numbers, strings and arrays."""
        control = self.deformation.control_mm
        return {
            "patch_size": list(self.patch_size),
            "centre": self.centre,
            "spacing_mm": self.spacing_mm,
            "matrix": self.deformation.matrix,
            "translation_mm": self.deformation.translation_mm,
            "control_mm": np.zeros((3, 0, 0, 0)) if control is None else control,
            "control_spacing_mm": self.deformation.control_spacing_mm,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Warp:
        """The warp of a record."""
        x, y, z = (int(size) for size in record["patch_size"])
        control = np.asarray(record["control_mm"], dtype=np.float64)
        deformation = Deformation(
            matrix=np.asarray(record["matrix"], dtype=np.float64),
            translation_mm=np.asarray(record["translation_mm"], dtype=np.float64),
            control_mm=control if control.size else None,
            control_spacing_mm=float(record["control_spacing_mm"]),
        )
        return cls(
            patch_size=(x, y, z),
            centre=np.asarray(record["centre"], dtype=np.float64),
            spacing_mm=np.asarray(record["spacing_mm"], dtype=np.float64),
            deformation=deformation,
        )


def _moved(volume: torch.Tensor, start: NDArray[np.int_], size: Sequence[int], outside: float) -> torch.Tensor:
    """A copy of the box of a volume that begins at `start`, which may lie outside of it."""
    shape = np.asarray(volume.shape[1:])
    low, high = start.clip(0, shape), (start + np.asarray(size)).clip(0, shape)
    if (low >= high).any():
        return volume.new_full((len(volume), *size), outside)
    inner = volume[(slice(None), *(slice(a, b) for a, b in zip(low, high, strict=True)))]
    rims = [edge for axis in (2, 1, 0) for edge in (low[axis] - start[axis], start[axis] + size[axis] - high[axis])]
    if not any(rims):
        return inner.clone(memory_format=torch.contiguous_format)
    return functional.pad(inner, [int(rim) for rim in rims], value=outside)

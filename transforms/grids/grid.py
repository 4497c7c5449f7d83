"""Voxel grids in the patient, and how the indices of one run along the axes of another."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor
from numpy.typing import NDArray

from transforms.errors import GeometryError

SCALE_DIGITS = 6
"""Decimals of the ratio of two spacings; as for offsets, so that a header in float32 and one in decimals give the very
same samples."""

OFFSET_DIGITS = 4
"""Decimals of a place, in voxels."""

OFF_AXIS_TOLERANCE = 0.05
"""How far, in source voxels over its whole extent, an axis may leave a source axis and still count as along it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """A voxel grid: how many voxels, and where they are.

    Attributes:
        shape: Voxels along each index axis.
        affine: Float64 `(4, 4)` from voxel indices to RAS+ millimetres.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    @classmethod
    def of(cls, volume: MetaTensor) -> Grid:
        """The grid of a channel-first volume `(C, X, Y, Z)`."""
        return cls(shape=_triple(volume.shape[1:]), affine=_matrix(volume.affine))

    @classmethod
    def native(cls, volume: MetaTensor) -> Grid:
        """The grid that a volume had when it was read, from its meta (`spatial_shape`, `original_affine`)."""
        shape = torch.as_tensor(volume.meta["spatial_shape"]).flatten().tolist()
        return cls(shape=_triple(shape), affine=_matrix(volume.meta["original_affine"]))

    @property
    def spacing_mm(self) -> NDArray[np.float64]:
        """Distance of neighbouring voxels along each index axis."""
        spacing: NDArray[np.float64] = np.linalg.norm(self.affine[:3, :3], axis=0)
        return spacing

    def cropped(self, start: Sequence[int], stop: Sequence[int]) -> Grid:
        """The grid of the voxels from `start` up to and without `stop`."""
        affine = self.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ np.asarray(start, dtype=np.float64)
        return Grid(shape=_triple([b - a for a, b in zip(start, stop, strict=True)]), affine=affine)

    def permuted(self, order: Sequence[int]) -> Grid:
        """The same voxels with the index axes in another order, as `tensor.permute(order)` would have them."""
        affine = self.affine.copy()
        affine[:3, :3] = affine[:3, list(order)]
        return Grid(shape=_triple([self.shape[axis] for axis in order]), affine=affine)

    def oriented(self, axcodes: str) -> Grid:
        """The same voxels with the axes reordered and turned to be closest to `axcodes`, such as `"RAS"`."""
        turn = nib.orientations.ornt_transform(
            nib.orientations.io_orientation(self.affine), nib.orientations.axcodes2ornt(tuple(axcodes))
        )
        shape = [0, 0, 0]
        for axis, (target, _) in enumerate(turn):
            shape[int(target)] = self.shape[axis]
        affine = self.affine @ nib.orientations.inv_ornt_aff(turn, self.shape)
        return Grid(shape=_triple(shape), affine=affine)


@dataclass(frozen=True, kw_only=True)
class AxisMap:
    """Where the indices of a target grid lie in a source grid when both have the same axes, in any order and sense.

    Target index `i` along axis `d` lies at source index `scale[d] * i + offset[d]` along source axis `axes[d]`.
    """

    axes: tuple[int, int, int]
    scale: tuple[float, float, float]
    offset: tuple[float, float, float]

    @classmethod
    def between(cls, source: Grid, target: Grid) -> AxisMap:
        """The map from indices of `target` to indices of `source`.

        Raises:
            GeometryError: When the axes of the two grids are not the same lines in the patient.
        """
        matrix = np.linalg.solve(source.affine, target.affine)
        linear, shift = matrix[:3, :3], matrix[:3, 3]
        axes = np.argmax(np.abs(linear), axis=0)
        off_axis = np.abs(linear)
        off_axis[axes, range(3)] = 0
        wander = (off_axis * np.asarray(target.shape)).max()
        if sorted(axes.tolist()) != [0, 1, 2] or wander > OFF_AXIS_TOLERANCE:
            raise GeometryError(
                "two voxel grids do not share their axes",
                found=f"a drift of {wander:.3g} voxels over the volume",
                expected=f"at most {OFF_AXIS_TOLERANCE}",
                remedy="Resample one onto the other first",
            )
        scales = [round(float(scale), SCALE_DIGITS) for scale in linear[axes, range(3)]]
        offsets = [round(float(offset), OFFSET_DIGITS) for offset in shift[axes]]
        return cls(
            axes=_triple(axes),
            scale=(scales[0], scales[1], scales[2]),
            offset=(offsets[0], offsets[1], offsets[2]),
        )


def placed(voxels: torch.Tensor, affine: NDArray[np.float64], meta: Mapping[Hashable, Any]) -> MetaTensor:
    """Voxels `(C, X, Y, Z)` at a new place, with the rest of another volume's meta."""
    rest = {key: value for key, value in meta.items() if key != "affine"}
    return MetaTensor(voxels, affine=torch.from_numpy(affine), meta=rest)


def _triple(values: Sequence[int] | NDArray[np.int_] | torch.Size) -> tuple[int, int, int]:
    x, y, z = (int(value) for value in values)
    return x, y, z


def _matrix(affine: torch.Tensor | NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array(torch.as_tensor(affine).detach().cpu().numpy(), dtype=np.float64).reshape(4, 4)

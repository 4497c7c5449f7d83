"""Smooth fields are computed on a coarse lattice in the image's frame and interpolated to voxels where needed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.phantom.shapes import Field

_CELL_MM = (4.0, 8.0)
"""Spacing of the coarse lattice: the finer one resolves all that is computed on it, a coarser one what voxels show."""

_MARGIN_CELLS = 3


class Box(NamedTuple):
    """Voxel ranges of a part of the volume, in array order (Z, Y, X)."""

    z: slice
    y: slice
    x: slice


class Lattice:
    """A coarse lattice that covers the image; arrays are ordered (Z, Y, X) as the image's voxels are stored.

    Args:
        shape: Voxels of the image (X, Y, Z).
        affine: Voxel indices to world millimetres (RAS+), (4, 4).
    """

    def __init__(self, shape: tuple[int, int, int], affine: NDArray[np.float64]) -> None:
        self.shape = shape
        self.spacing_mm = np.linalg.norm(affine[:3, :3], axis=0)
        self._directions = affine[:3, :3] / self.spacing_mm
        self._origin = affine[:3, 3]
        self._cell = float(np.clip(self.spacing_mm.min(), *_CELL_MM))
        self._axes, self._weights = [], []
        for count, spacing in zip(shape, self.spacing_mm, strict=True):
            cells = int(np.ceil((count - 1) * spacing / self._cell)) + 2 * _MARGIN_CELLS + 1
            self._axes.append((np.arange(cells) - _MARGIN_CELLS) * self._cell)
            self._weights.append(_cubic_weights(np.arange(count) * spacing / self._cell + _MARGIN_CELLS, cells))

    def world_points(self) -> tuple[Field, Field, Field]:
        """World coordinates x, y and z (RAS+, mm) of the lattice points, each of shape (Z, Y, X)."""
        z, y, x = np.meshgrid(self._axes[2], self._axes[1], self._axes[0], indexing="ij")
        rows = zip(self._origin, self._directions, strict=True)
        wx, wy, wz = ((o + row[0] * x + row[1] * y + row[2] * z).astype(np.float32) for o, row in rows)
        return wx, wy, wz

    def to_image_mm(self, world: NDArray[np.float64]) -> NDArray[np.float64]:
        """World points (N, 3) as millimetres along the image's axes from its first voxel."""
        return np.asarray((world - self._origin) @ self._directions, dtype=np.float64)

    def upsample(self, field: Field, box: Box) -> Field:
        """Interpolate a field of the lattice to the voxels of a box, by cubic convolution (Keys 1981)."""
        wx, wy, wz = self._weights
        planes = np.tensordot(wz[box.z], field, axes=(1, 0))
        columns = np.matmul(wy[box.y], planes)
        return np.asarray(np.matmul(columns, wx[box.x].T), dtype=np.float32)

    def box_of(self, mask: NDArray[np.bool_], z: slice) -> Box | None:
        """The smallest box, within the slices `z`, that holds all voxels near lattice points in the mask."""
        low = int(np.floor(z.start * self.spacing_mm[2] / self._cell)) + _MARGIN_CELLS - 1
        high = int(np.ceil((z.stop - 1) * self.spacing_mm[2] / self._cell)) + _MARGIN_CELLS + 2
        seen: NDArray[np.bool_] = np.any(mask[low:high], axis=0)
        if not seen.any():
            return None
        y = self._voxels(np.flatnonzero(np.any(seen, axis=1)), 1)
        x = self._voxels(np.flatnonzero(np.any(seen, axis=0)), 0)
        return Box(z, y, x) if y.start < y.stop and x.start < x.stop else None

    def _voxels(self, cells: NDArray[np.intp], axis: int) -> slice:
        factor = self._cell / self.spacing_mm[axis]
        low = int(np.floor((cells[0] - _MARGIN_CELLS - 1) * factor))
        high = int(np.ceil((cells[-1] - _MARGIN_CELLS + 1) * factor)) + 1
        return slice(max(low, 0), min(max(high, 0), self.shape[axis]))


def _cubic_weights(positions: NDArray[np.float64], cells: int) -> Field:
    base = np.floor(positions).astype(int)
    t = positions - base
    taps = [
        -0.5 * t + t**2 - 0.5 * t**3,
        1 - 2.5 * t**2 + 1.5 * t**3,
        0.5 * t + 2 * t**2 - 1.5 * t**3,
        -0.5 * t**2 + 0.5 * t**3,
    ]
    weights = np.zeros((len(positions), cells), dtype=np.float32)
    for offset, tap in enumerate(taps, start=-1):
        weights[np.arange(len(positions)), np.clip(base + offset, 0, cells - 1)] += tap.astype(np.float32)
    return weights

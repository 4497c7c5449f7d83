"""The lungs on a lattice of some millimetres, where lesions are shaped: how deep each point lies under the pleura."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from transforms.anatomy.sides import LEFT, RIGHT
from transforms.errors import GeometryError, LabelError
from transforms.grids.grid import Grid
from transforms.grids.network_grid import network_grid
from transforms.grids.resampling import resample

Field = NDArray[np.float32]

LATTICE_MM = 2.0
"""Shapes and textures of lesions change over more than this."""

MARGIN_VOXELS = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class LungSpace:
    """The lungs of one CT on the lattice; arrays are `(X, Y, Z)`, axes closest to RAS+.

    Attributes:
        native: The native grid of the CT.
        start: First native voxel, along each axis, of the box around the lungs.
        stop: First native voxel beyond it.
        lungs: The lung mask on those voxels.
        lattice: Where the points are.
        sides: 1 the patient's left lung, 2 the right, 0 outside.
        depth_mm: Distance to the pleura, 0 outside.
    """

    native: Grid
    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    lungs: NDArray[np.uint8]
    lattice: Grid
    sides: NDArray[np.uint8]
    depth_mm: Field

    @classmethod
    def of(cls, lungs: NDArray[np.uint8], native: Grid) -> LungSpace:
        """The space of a lung mask.

        Args:
            lungs: `(X, Y, Z)` on the native grid: 1 the patient's left, 2 the right, 0 elsewhere.
            native: That grid.

        Raises:
            GeometryError: When mask and grid differ in shape.
            LabelError: When the mask is empty or holds other values.
        """
        if lungs.shape != native.shape:
            raise GeometryError("the lung mask is on another grid", found=lungs.shape, expected=native.shape)
        box = ndimage.find_objects((lungs > 0).astype(np.uint8))
        if not box:
            raise LabelError(
                "there is no lung to paint lesions into", where="lungs", remedy="Give a CT and mask that show lungs"
            )
        values = set(np.unique(lungs[box[0]]).tolist())
        if not values <= {0, LEFT, RIGHT}:
            raise LabelError("the lung mask holds other values", where="lungs", found=values, expected="0, 1 and 2")
        start, stop = _widened(box[0], native.shape)
        near = native.cropped(start, stop)
        lattice = network_grid(near, [max(LATTICE_MM, float(side)) for side in near.oriented("RAS").spacing_mm], "RAS")
        inner = np.ascontiguousarray(lungs[_box(start, stop)])
        sides = resample(torch.from_numpy(inner)[None], near, lattice, mode="nearest")[0].numpy()
        # What the volume's edge cuts goes on there: only the pleura counts.
        padded = np.pad(sides > 0, 1, mode="edge")
        depth = ndimage.distance_transform_edt(padded, sampling=tuple(lattice.spacing_mm))[1:-1, 1:-1, 1:-1]
        return cls(
            native=native,
            start=start,
            stop=stop,
            lungs=inner,
            lattice=lattice,
            sides=sides,
            depth_mm=depth.astype(np.float32),
        )

    @property
    def near(self) -> Grid:
        """The native voxels around the lungs."""
        return self.native.cropped(self.start, self.stop)

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Where :attr:`near` lies in the native grid."""
        return _box(self.start, self.stop)

    def along(self, direction: tuple[float, float, float]) -> Field:
        """How far each point lies along a direction of the patient (RAS+), mm."""
        unit = np.asarray(direction, dtype=np.float64) / np.linalg.norm(direction)
        steps = unit @ self.lattice.affine[:3, :3]
        x, y, z = (np.arange(size) * step for size, step in zip(self.lattice.shape, steps, strict=True))
        offset = unit @ self.lattice.affine[:3, 3]
        return np.asarray(offset + x[:, None, None] + y[:, None] + z, dtype=np.float32)

    def on_voxels(self, field: Field) -> Field:
        """A field of the lattice on the native voxels around the lungs, interpolated."""
        return np.asarray(resample(torch.from_numpy(field)[None], self.lattice, self.near)[0].numpy())


def _widened(box: tuple[slice, ...], shape: tuple[int, int, int]) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    start = [max(0, side.start - MARGIN_VOXELS) for side in box]
    stop = [min(size, side.stop + MARGIN_VOXELS) for side, size in zip(box, shape, strict=True)]
    return (start[0], start[1], start[2]), (stop[0], stop[1], stop[2])


def _box(start: tuple[int, int, int], stop: tuple[int, int, int]) -> tuple[slice, slice, slice]:
    x, y, z = (slice(a, b) for a, b in zip(start, stop, strict=True))
    return x, y, z

"""Decoded slices to the planes of an even, straight grid, by linear interpolation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from transforms.reading.dicom.grid import Grid
from transforms.reading.dicom.tilt import Shear
from transforms.reading.padding import AIR_HU
from transforms.reading.volume import Voxels

_Plane = npt.NDArray[np.float32]


def resampled(slices: Voxels, grid: Grid) -> npt.NDArray[np.float32]:
    """The volume on its grid, a new array `(X, Y, Z)`, axial planes one after the other in memory.

    Where a sheared slice does not reach, there is air.

    Args:
        slices: `(X, Y, N)` in HU.
        grid: With planes, shear or both.
    """
    count = slices.shape[2]
    lower = grid.planes.lower if grid.planes else np.arange(count)
    share = grid.planes.share if grid.planes else np.zeros(count)

    def plane(index: int) -> _Plane:
        own = slices[..., index].astype(np.float32)
        return own if grid.shear is None else _shifted(own, grid.shear, index)

    shape = slices.shape[:2] if grid.shear is None else _shape(slices.shape[:2], grid.shear)
    out = np.empty((*shape, len(lower)), dtype=np.float32, order="F")
    for target, (index, weight) in enumerate(zip(lower.tolist(), share.tolist(), strict=True)):
        if weight == 0:
            out[..., target] = plane(index)
        elif weight == 1:
            out[..., target] = plane(index + 1)
        else:
            out[..., target] = (1 - weight) * plane(index) + weight * plane(index + 1)
    return out


def _shifted(plane: _Plane, shear: Shear, index: int) -> _Plane:
    before = shear.margin[:, 0]
    moved: _Plane = ndimage.affine_transform(
        plane,
        np.ones(2),
        offset=-(before + shear.shifts[index]),
        output_shape=_shape(plane.shape, shear),
        order=1,
        mode="constant",
        cval=AIR_HU,
    )
    return moved


def _shape(shape: tuple[int, ...], shear: Shear) -> tuple[int, int]:
    across = shear.margin.sum(axis=1)
    return shape[0] + int(across[0]), shape[1] + int(across[1])

"""The surface of the lungs on the native grid: where lung meets tissue, each voxel is judged by its own HU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from transforms.anatomy.morphology import Mask
from transforms.anatomy.thresholds import TISSUE_HU
from transforms.grids.grid import AxisMap, Grid
from transforms.grids.resampling import resample

SLAB_VOXELS = 2**22
"""Native voxels that are restored at a time: all that is ever held in floating point."""

EDGE = 0.5
"""How far beyond the centres of its outermost voxels a grid reaches, in voxels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LungShape:
    """The lungs on a grid that is coarser than the native one; arrays are `(X, Y, Z)`.

    Attributes:
        grid: Where the voxels are.
        whole: Both lungs, with vessels and lesions.
        aerated: The parts of them that hold air.
        sides: The side of every voxel, inside and outside: 1 the patient's left, 2 the right.
    """

    grid: Grid
    whole: Mask
    aerated: Mask
    sides: NDArray[np.uint8]


def restore_lungs(hu: NDArray[np.int16] | NDArray[np.float32], native: Grid, shape: LungShape) -> NDArray[np.uint8]:
    """Brings the lungs to the native grid.

    Within one voxel of the shape's surface a native voxel is lung when it holds air; the surface of lesions and
    vessels, which HU do not show, is interpolated.

    Args:
        hu: `(X, Y, Z)` on the native grid.
        native: The native grid, with the same axes as that of the shape.
        shape: The lungs.

    Returns:
        uint8 `(X, Y, Z)`, the first index running fastest: 1 left, 2 right, 0 elsewhere.
    """
    order = (2, 1, 0)
    target = native.permuted(order)
    # In the order of the result's memory.
    voxels = hu.transpose(order)
    lungs = np.zeros(target.shape, dtype=np.uint8)
    certainty = torch.from_numpy(_certainty(shape))[None]
    sides = torch.from_numpy(shape.sides)[None]
    first, last = zip(*_covered(shape.grid, target), strict=True)
    thickness = max(1, SLAB_VOXELS // max(1, (last[1] - first[1]) * (last[2] - first[2])))
    for start in range(first[0], last[0], thickness):
        stop = min(start + thickness, last[0])
        slab = target.cropped((start, *first[1:]), (stop, *last[1:]))
        part = (slice(start, stop), slice(first[1], last[1]), slice(first[2], last[2]))
        share = resample(certainty, shape.grid, slab)[0].numpy()
        lung = (share > 0.75) | ((share > 0.25) & (voxels[part] < TISSUE_HU))
        lungs[part] = lung * resample(sides, shape.grid, slab, mode="nearest")[0].numpy()
    return lungs.transpose(order)


def _certainty(shape: LungShape) -> NDArray[np.float32]:
    """1 for what is lung, a half where the native voxels' HU decide, 0 for what is not."""
    # A lung that is cut by the edge of the volume goes on there.
    inner = ndimage.binary_erosion(shape.whole, border_value=1)
    # Partial volume leaves a thin rim of tissue at the chest wall; what is thicker is a lesion or vessel.
    dense = ndimage.binary_opening(shape.whole & ~shape.aerated)
    outer = ndimage.binary_dilation(shape.whole)
    return np.asarray((outer.astype(np.float32) + (inner | dense)) / 2, dtype=np.float32)


def _covered(source: Grid, target: Grid) -> list[tuple[int, int]]:
    """The range of target indices along each axis that the source grid covers."""
    axis_map = AxisMap.between(source, target)
    ranges = []
    for axis in range(3):
        last = source.shape[axis_map.axes[axis]] - 1
        ends = sorted((edge - axis_map.offset[axis]) / axis_map.scale[axis] for edge in (-EDGE, last + EDGE))
        ranges.append((max(int(np.ceil(ends[0])), 0), min(int(np.floor(ends[1])) + 1, target.shape[axis])))
    return ranges

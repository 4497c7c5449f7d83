"""A label map on the grid of its reference, where both are the same grid for certain."""

from __future__ import annotations

import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor

from transforms.errors import GeometryError
from transforms.grids import AxisMap, Grid
from transforms.grids.grid import placed
from transforms.reading.labels import check_same_grid

SCALE_TOLERANCE = 1e-3
"""How far the ratio of two spacings may be from 1 for voxels to be the same; the corners are checked besides."""


def on_grid_of(reference: MetaTensor, label_map: MetaTensor) -> tuple[MetaTensor, str | None]:
    """Turns a label map's axes as the reference's run, where the two grids are one and only stored differently.

    Nothing is interpolated. Axes are swapped or mirrored when the affines say that each voxel of the one is a voxel of
    the other; whatever is left apart is refused.

    Args:
        reference: `(1, X, Y, Z)`.
        label_map: `(1, X, Y, Z)`, or the same with its axes in another order or sense.

    Returns:
        The label map on the reference's grid, and what was done, if anything was.

    Raises:
        GeometryError: When the two are not on one grid.
    """
    source, target = Grid.of(label_map), Grid.of(reference)
    turned = _turned(label_map, source, target)
    if turned is None:
        check_same_grid(reference, label_map)
        return label_map, None
    check_same_grid(reference, turned)
    return turned, "the prediction's axes were turned to those of the reference"


def _turned(label_map: MetaTensor, source: Grid, target: Grid) -> MetaTensor | None:
    """The label map with its axes turned; `None` where there is nothing to turn, or not for certain."""
    try:
        axis_map = AxisMap.between(source, target)
    except GeometryError:
        return None
    if axis_map.axes == (0, 1, 2) and min(axis_map.scale) > 0:
        return None
    if np.abs(np.abs(axis_map.scale) - 1).max() > SCALE_TOLERANCE:
        return None
    voxels = label_map.as_subclass(torch.Tensor).permute(0, *(axis + 1 for axis in axis_map.axes))
    grid = source.permuted(axis_map.axes)
    flipped = [axis for axis in range(3) if axis_map.scale[axis] < 0]
    affine = grid.affine.copy()
    for axis in flipped:
        affine[:3, 3] += affine[:3, axis] * (grid.shape[axis] - 1)
        affine[:3, axis] *= -1
    return placed(voxels.flip([axis + 1 for axis in flipped]), affine, label_map.meta)

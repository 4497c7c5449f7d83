"""Distances between the surfaces of two masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import KDTree

Mask = npt.NDArray[np.bool_]
Distances = npt.NDArray[np.float64]


def surface_metrics(pred: Mask, truth: Mask, spacing_mm: Sequence[float], tolerance_mm: float) -> tuple[float, float]:
    """HD95 and normalised surface Dice, as MONAI's `compute_hausdorff_distance` and `compute_surface_dice` give them.

    Nearest surfaces are searched among the surface voxels alone (a k-d tree), so that memory follows the surfaces and
    not the volume, and both metrics come from one search.

    Args:
        pred: `(X, Y, Z)`, not empty.
        truth: Likewise.
        spacing_mm: Distance of neighbouring voxels along each axis.
        tolerance_mm: Distance that still counts as agreement.

    Returns:
        The larger of the two directed 95th percentiles in millimetres, and the share of both surfaces within the
        tolerance.
    """
    both_ways = surface_distances(pred, truth, spacing_mm)
    hd95_mm = max(float(np.percentile(distances, 95)) for distances in both_ways)
    near = sum(int(np.count_nonzero(distances <= tolerance_mm)) for distances in both_ways)
    return hd95_mm, near / sum(distances.size for distances in both_ways)


def surface_distances(one: Mask, other: Mask, spacing_mm: Sequence[float]) -> tuple[Distances, Distances]:
    """The distance of each surface voxel of either mask to the nearest of the other's, in millimetres.

    Args:
        one: `(X, Y, Z)`, not empty.
        other: Likewise.
        spacing_mm: Distance of neighbouring voxels along each axis.
    """
    places: list[Distances] = [np.multiply(_surface(mask), np.asarray(spacing_mm, np.float64)) for mask in (one, other)]
    trees = [KDTree(points, balanced_tree=False, compact_nodes=False) for points in places]
    return _nearest(trees[1], places[0]), _nearest(trees[0], places[1])


def _nearest(tree: Any, points: Distances) -> Distances:
    distances, _ = tree.query(points)
    # A sum of squares and its root are not exact: 2 mm must not be beyond a tolerance of 2 mm.
    return np.asarray(np.round(distances, 6), dtype=np.float64)


def _surface(mask: Mask) -> npt.NDArray[np.intp]:
    """Indices `(N, 3)` of the voxels that share a face with what is outside; the volume's border is outside too."""
    return np.argwhere(mask & ~ndimage.binary_erosion(mask, border_value=0))

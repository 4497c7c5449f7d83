"""Which of the lungs is the patient's left and which the right, also where they touch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from transforms.anatomy.morphology import Mask, bounding_box, depth_mm

LEFT = 1
RIGHT = 2

ONE_SIDED = 0.85
"""Share of a part of lung that must lie on one side of the middle for the part to be one lung's."""

SIZEABLE = 0.04
"""Share of all lung voxels from which on a part on both sides must be parted further."""

CUTS_MM = (0.0, 2.0, 4.5, 6.5, 8.5, 10.5, 12.5)
"""How much is taken off the surface, step by step, until the lungs fall apart."""


def split_sides(lungs: Mask, middle: float, spacing_mm: Sequence[float]) -> NDArray[np.uint8]:
    """Labels each lung voxel by its side.

    Lungs that touch in front of or behind the heart are thinned until they part; every voxel then belongs to the
    nearer remainder. Where thinning does not part them, the body's middle does.

    Args:
        lungs: `(X, Y, Z)`, RAS+: the patient's left is at low x.
        middle: Index along x of the body's middle.
        spacing_mm: Along each axis.

    Returns:
        `(X, Y, Z)`: 1 the patient's left lung, 2 the right, 0 elsewhere.
    """
    sides = np.zeros(lungs.shape, dtype=np.uint8)
    box = bounding_box(lungs, 2 * max(spacing_mm), spacing_mm)
    if box is None:
        return sides
    sides[box] = _split(lungs[box], middle - box[0].start, spacing_mm)
    return sides


def _split(lungs: Mask, middle: float, spacing_mm: Sequence[float]) -> NDArray[np.uint8]:
    total = int(lungs.sum())
    depth: NDArray[np.float32] | Mask = lungs
    for cut_mm in CUTS_MM:
        if cut_mm > 0 and depth is lungs:
            depth = depth_mm(lungs, spacing_mm)
        labels, _ = ndimage.label(depth > cut_mm)
        seeds = _seeds(labels, middle, total)
        if seeds is not None and seeds.any():
            return seeds if cut_mm == 0 else _grown(seeds, depth, lungs)
    halves = np.where(np.arange(lungs.shape[0]) < middle, LEFT, RIGHT).astype(np.uint8)
    return np.where(lungs, halves[:, None, None], np.uint8(0))


def _seeds(labels: NDArray[np.signedinteger], middle: float, total: int) -> NDArray[np.uint8] | None:
    """The side of each part that has one; `None` while a sizeable part lies on both sides."""
    sizes = np.bincount(labels.ravel())
    on_left = np.bincount(labels[: max(0, int(np.ceil(middle)))].ravel(), minlength=len(sizes))
    share = on_left / np.maximum(sizes, 1)
    both = (share < ONE_SIDED) & (share > 1 - ONE_SIDED)
    if np.any(both[1:] & (sizes[1:] >= SIZEABLE * total)):
        return None
    side_of = np.where(both, 0, np.where(share >= 0.5, LEFT, RIGHT)).astype(np.uint8)
    side_of[0] = 0
    return np.asarray(side_of[labels], dtype=np.uint8)


def _grown(seeds: NDArray[np.uint8], depth: NDArray[np.float32] | Mask, lungs: Mask) -> NDArray[np.uint8]:
    """Gives each voxel the side whose seed reaches it through the lung; they meet where the lung is thinnest."""
    flooded = np.asarray(watershed(-depth.astype(np.float32), seeds.astype(np.int32), mask=lungs), dtype=np.uint8)
    # A seed was thinned away in parts that hang together with no other: they go to the nearest.
    nearest = ndimage.distance_transform_edt(flooded == 0, return_distances=False, return_indices=True)
    return np.where(lungs, flooded[tuple(nearest)], np.uint8(0))

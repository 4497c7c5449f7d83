"""Airways that stay open in consolidated lung: thin dark branches from the hilum outwards."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from transforms.grids.grid import Grid
from transforms.synthesis.lesions import Opacity
from transforms.synthesis.lung_space import Field, LungSpace

RADIUS_MM = (0.7, 1.7)
"""Of the open airways: segmental bronchi and the next generations."""

EDGE_MM = 0.8
"""Over which an airway's wall blurs."""

AIR_HU = -940.0
"""In an airway that is some voxels wide."""

Points = NDArray[np.float64]


def draw_branches(random: np.random.RandomState, opacity: Opacity, hilum: Points) -> NDArray[np.float64]:
    """Draws the airways of one consolidation.

    Args:
        random: What is drawn from.
        opacity: The consolidation.
        hilum: Where its lung's airways come from, mm.

    Returns:
        Rows of both ends and the radius of straight pieces, mm.
    """
    centre, size = np.asarray(opacity.centre), min(opacity.half_axes)
    inward = hilum - centre
    inward = inward / max(float(np.linalg.norm(inward)), 1e-6)
    pieces: list[NDArray[np.float64]] = []
    for _ in range(random.randint(1, 4)):
        root = centre + inward * size * random.uniform(0.7, 1.1) + random.normal(0, 0.25 * size, 3)
        _grow(random, pieces, root, -inward, length=size * random.uniform(0.5, 0.9), generation=0)
    return np.array(pieces)


def _grow(
    random: np.random.RandomState,
    pieces: list[NDArray[np.float64]],
    start: Points,
    direction: Points,
    *,
    length: float,
    generation: int,
) -> None:
    direction = direction + random.normal(0, 0.3, 3)
    direction = direction / np.linalg.norm(direction)
    end = start + length * direction
    radius = random.uniform(*RADIUS_MM) * 0.8**generation
    pieces.append(np.array([*start, *end, radius]))
    if generation < 2 and length > 4.0:
        for _ in range(2):
            turned = direction + random.normal(0, 0.45, 3)
            _grow(random, pieces, end, turned, length=length * random.uniform(0.5, 0.8), generation=generation + 1)


def open_airways(pieces: NDArray[np.float64], grid: Grid) -> Field:
    """How much of each voxel of a grid the airways fill, 0 to 1."""
    filled = np.zeros(grid.shape, dtype=np.float32)
    inverse = np.linalg.inv(grid.affine)
    for piece in pieces:
        radius = piece[6]
        ends = piece[:6].reshape(2, 3)
        index = ends @ inverse[:3, :3].T + inverse[:3, 3]
        reach = np.linalg.norm(inverse[:3, :3], axis=1) * (radius + EDGE_MM)
        low = np.maximum(np.floor(index.min(axis=0) - reach), 0).astype(int)
        high = np.minimum(np.ceil(index.max(axis=0) + reach) + 1, grid.shape).astype(int)
        if (low >= high).any():
            continue
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        away = _distance(grid.cropped(low.tolist(), high.tolist()), ends)
        share = np.clip(0.5 + (radius - away) / EDGE_MM, 0, 1)
        filled[box] = np.maximum(filled[box], share)
    return filled


def _distance(grid: Grid, ends: Points) -> Points:
    """From each voxel's centre to a straight piece, mm."""
    index = np.stack(np.meshgrid(*(np.arange(size) for size in grid.shape), indexing="ij"), axis=-1)
    points = index @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    start, step = ends[0], ends[1] - ends[0]
    along = np.clip((points - start) @ step / max(float(step @ step), 1e-9), 0, 1)
    away: Points = np.linalg.norm(points - start - along[..., None] * step, axis=-1)
    return away


def hilum_of(space: LungSpace, side: int) -> Points:
    """About where the airways of one lung enter it: in the middle of its height, towards the other lung, mm."""
    index = np.stack(np.nonzero(space.sides == side))
    points = (space.lattice.affine[:3, :3] @ index).T + space.lattice.affine[:3, 3]
    all_index = np.stack(np.nonzero(space.sides))
    middle = (space.lattice.affine[:3, :3] @ all_index.mean(axis=1)) + space.lattice.affine[:3, 3]
    centre: Points = points.mean(axis=0)
    return np.array([0.6 * middle[0] + 0.4 * centre[0], centre[1], centre[2]])

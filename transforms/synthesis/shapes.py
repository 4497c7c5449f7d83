"""The shape of lesions: signed distances on the lattice of the lungs, negative inside."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from transforms.synthesis.lesions import Effusion, LesionRanges, Opacity, Vector
from transforms.synthesis.lung_space import Field, LungSpace

FAR_MM = 1000.0
"""Outside of everything."""

ROUGHNESS = 0.17
"""Of the edge of an opacity: standard deviation, as a share of its size."""

FLUID_BUMPS = 0.06
"""Standard deviation of the thickness of a layer of fluid, as a share of it."""

THINNEST_MM = 1.5
"""A thinner film of fluid is none."""

EXTENT_PERCENT = (0.5, 99.5)
"""What counts as the ends of a lung: not its last voxel."""


def smooth_noise(random: np.random.RandomState, space: LungSpace, scale_mm: float) -> Field:
    """Gaussian noise of mean 0 and standard deviation 1 that changes over `scale_mm`."""
    sigma = [scale_mm / side for side in space.lattice.spacing_mm]
    white = random.standard_normal(space.lattice.shape).astype(np.float32)
    smooth = ndimage.gaussian_filter(white, sigma, mode="wrap", truncate=3.0)
    return np.asarray(smooth / max(float(smooth.std()), 1e-6), dtype=np.float32)


def opacity_distance(opacity: Opacity, space: LungSpace, roughness: Field) -> tuple[tuple[slice, ...], Field]:
    """Distance to one opacity where it is near: the box on the lattice, and the millimetres there.

    The ellipsoid is cut short where it would reach too deep under the pleura: what is left is the subpleural band
    that such lesions take up.
    """
    box = _around(opacity.centre, 1.8 * max(opacity.half_axes), space)
    index = np.meshgrid(*(np.arange(side.start, side.stop) for side in box), indexing="ij")
    affine = space.lattice.affine
    points = np.stack(index, axis=-1) @ affine[:3, :3].T + affine[:3, 3] - np.asarray(opacity.centre)
    to_unit = (opacity.rotation / np.asarray(opacity.half_axes)[:, None]).T
    square = np.square(points @ to_unit).sum(axis=-1)
    # A norm that rounds the corner between the two: the ellipsoid keeps its size where it is not cut.
    level = (np.square(square) + np.power(space.depth_mm[box] / opacity.reach_mm, 4)) ** 0.25
    distance = (level - 1 + ROUGHNESS * roughness[box]) * min(opacity.half_axes)
    own = space.sides[box] == opacity.side
    # The pleura is not an edge of the lesion: the distance goes on beyond it, so that it is cut by the lung alone.
    own = ndimage.binary_dilation(own, iterations=2) & (own | (space.sides[box] == 0))
    return box, np.where(own, distance, FAR_MM).astype(np.float32)


def _around(centre: Vector, reach_mm: float, space: LungSpace) -> tuple[slice, ...]:
    inverse = np.linalg.inv(space.lattice.affine)
    middle = inverse[:3, :3] @ np.asarray(centre) + inverse[:3, 3]
    reach = np.linalg.norm(inverse[:3, :3], axis=1) * reach_mm
    return tuple(
        slice(max(0, int(np.floor(m - r))), max(0, min(size, int(np.ceil(m + r)) + 1)))
        for m, r, size in zip(middle, reach, space.lattice.shape, strict=True)
    )


def effusion_distance(effusion: Effusion, space: LungSpace, ranges: LesionRanges, bumps: Field) -> Field:
    """Distance to the fluid of one side: a layer over the dependent pleura, thickest at the lowest place.

    It thins out against gravity and towards the head, as free fluid does in a patient who lies.
    """
    own = space.sides == effusion.side
    down, up = space.along(ranges.gravity), space.along((0.0, 0.0, 1.0))
    highest, lowest = np.percentile(down[own], EXTENT_PERCENT)
    foot, head = np.percentile(up[own], EXTENT_PERCENT)
    front = lowest - max(effusion.rise * (lowest - highest), 1.0)
    top = foot + max(effusion.height * (head - foot), 1.0)
    sunk, below = (down - front) / (lowest - front), (top - up) / (top - foot)
    full = effusion.thickness_mm * (1 + FLUID_BUMPS * bumps)
    thickness = full * _smooth(1.6 * sunk) * _smooth(1.8 * below) - THINNEST_MM
    near = ndimage.binary_dilation(own, iterations=2) & (own | (space.sides == 0))
    return np.where(near, space.depth_mm - thickness, FAR_MM).astype(np.float32)


def _smooth(t: Field) -> Field:
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)

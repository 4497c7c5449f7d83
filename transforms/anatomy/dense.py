"""Parts of a lung that hold no air: vessels, nodules, the smaller consolidations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from transforms.anatomy.morphology import Mask, closed
from transforms.anatomy.sides import LEFT, RIGHT

CLOSING_MM = 16.0
"""Vessels and lesions narrower than twice this are closed over; more fills the notches of heart and aorta. On synthetic
chests 12, 16 and 20 mm took in 35, 51 and 62 % of consolidation and 2, 3 and 3 % of what is no lung."""


WALL_CLOSING_MM = 20.0
"""The same where a lung faces the chest wall: there a healthy lung has no notches."""

RAYS = 360
"""Directions from the middle of the chest in which the wall is looked for."""

RAY_STEP_MM = 4.0
"""Distance of the places on them."""


def with_dense_parts(sides: NDArray[np.uint8], body: Mask, spacing_mm: Sequence[float]) -> NDArray[np.uint8]:
    """Adds to each lung what it encloses or half encloses.

    Args:
        sides: `(X, Y, Z)`, RAS+: 1 the patient's left lung, 2 the right, aerated parts.
        body: The body; nothing outside is added.
        spacing_mm: Along each axis.

    Returns:
        A label map like `sides`.
    """
    whole = sides.copy()
    for side in (LEFT, RIGHT):
        lung = closed(sides == side, CLOSING_MM, spacing_mm)
        whole[lung & body & (whole == 0)] = side
    return whole


def wall_lesions(
    sides: NDArray[np.uint8], aerated: Mask, body: Mask, middle: float, spacing_mm: Sequence[float]
) -> Mask:
    """Finds parts without air between a lung and the chest wall, and inside a lung.

    Args:
        sides: `(X, Y, Z)`, RAS+: 1 the patient's left lung, 2 the right.
        aerated: The parts of both that hold air.
        body: The body; nothing outside is added.
        middle: Index along x of the body's middle.
        spacing_mm: Along each axis.

    Returns:
        `(X, Y, Z)`: what is closed over and has aerated lung between itself and the middle of the chest. Notches of
        heart, vessels and hila have not.
    """
    lesions = np.zeros_like(body)
    for side in (LEFT, RIGHT):
        lung = aerated & (sides == side)
        lesions |= closed(lung, WALL_CLOSING_MM, spacing_mm) & ~lung
    return lesions & body & _behind(aerated, middle, spacing_mm)


def _behind(lungs: Mask, middle: float, spacing_mm: Sequence[float]) -> Mask:
    """What lies farther from the middle of the chest than some lung in the same direction and slice."""
    rows = np.flatnonzero(lungs.any(axis=(0, 2)))
    if rows.size == 0:
        return np.zeros_like(lungs)
    centre = (middle, (rows[0] + rows[-1]) / 2)
    reach = np.hypot(*(size * side for size, side in zip(lungs.shape[:2], spacing_mm[:2], strict=True)))
    distance = np.arange(int(reach / RAY_STEP_MM) + 1) * RAY_STEP_MM
    angle = np.arange(RAYS) * (2 * np.pi / RAYS)
    x, y = (
        np.rint(start + np.outer(way(angle), distance) / side).astype(int)
        for start, way, side in zip(centre, (np.cos, np.sin), spacing_mm[:2], strict=True)
    )
    inside = (x >= 0) & (x < lungs.shape[0]) & (y >= 0) & (y < lungs.shape[1])
    seen = lungs[np.where(inside, x, 0), np.where(inside, y, 0)] & inside[:, :, None]
    passed = np.maximum.accumulate(seen, axis=1)
    across = (np.arange(lungs.shape[0])[:, None] - centre[0]) * spacing_mm[0]
    along = (np.arange(lungs.shape[1])[None, :] - centre[1]) * spacing_mm[1]
    ray = np.rint(np.arctan2(along, across) * (RAYS / (2 * np.pi))).astype(int) % RAYS
    step = np.minimum(np.rint(np.hypot(across, along) / RAY_STEP_MM).astype(int), distance.size - 1)
    return np.asarray(passed[ray, step], dtype=bool)

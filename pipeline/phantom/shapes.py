"""Signed distances (negative inside, millimetres) of simple shapes, and ways to join them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

Field = NDArray[np.floating[Any]]
"""Values at points or voxels."""

FAR_MM = np.float32(40.0)
"""Distance given to points that are too far from a shape to matter."""


class Profile:
    """A smooth function of the height z, drawn through (z, value) knots and held constant beyond them."""

    def __init__(self, *knots: tuple[float, float]) -> None:
        z, values = np.array(sorted(knots), dtype=float).T
        self._z = np.arange(z[0], z[-1] + 1.0)
        self._values = PchipInterpolator(z, values, extrapolate=True)(self._z)

    def __call__(self, z: Field) -> Field:
        """The value at each z, in the shape of z."""
        return np.interp(z, self._z, self._values).astype(np.float32)

    def at(self, z: float) -> float:
        """The value at one height."""
        return float(np.interp(z, self._z, self._values))


def smooth_max(a: Field, b: Field, radius_mm: float) -> Field:
    """The intersection of two shapes, its edge rounded over `radius_mm` (quadratic blend, Quilez 2013)."""
    h = np.maximum(radius_mm - np.abs(a - b), 0.0)
    return np.asarray(np.maximum(a, b) + h * h * np.float32(0.25 / radius_mm), dtype=np.float32)


def smooth_min(a: Field, b: Field, radius_mm: float) -> Field:
    """The union of two shapes, the groove between them filled over `radius_mm`."""
    return -smooth_max(-a, -b, radius_mm)


def superellipse(x: Field, y: Field, a: Field | float, b: Field | float, power: float = 2.0) -> Field:
    """A cylinder whose section is a superellipse of half axes a and b, to first order."""
    u, v = np.maximum(np.abs(x) / a, 1e-3), np.maximum(np.abs(y) / b, 1e-3)
    level = (u**power + v**power) ** (1 / power)
    slope = np.sqrt(((u / level) ** (power - 1) / a) ** 2 + ((v / level) ** (power - 1) / b) ** 2)
    return np.asarray((level - 1) / slope, dtype=np.float32)


def ellipsoid(
    points: tuple[Field, Field, Field],
    centre: Sequence[float],
    half_axes: Sequence[float],
    rotation: NDArray[np.float64] | None = None,
) -> Field:
    """An ellipsoid; rows of `rotation` are its axes. Distances are to first order."""
    local = [p - np.float32(c) for p, c in zip(points, centre, strict=True)]
    if rotation is not None:
        rows = rotation.astype(np.float32)
        local = [row[0] * local[0] + row[1] * local[1] + row[2] * local[2] for row in rows]
    scaled = [p / np.float32(r) for p, r in zip(local, half_axes, strict=True)]
    steepness = [s / np.float32(r) for s, r in zip(scaled, half_axes, strict=True)]
    level = np.sqrt(sum(s * s for s in scaled)) + np.float32(1e-4)
    slope = np.sqrt(sum(s * s for s in steepness)) / level + np.float32(1e-4)
    return np.asarray((level - 1) / slope, dtype=np.float32)


def box(x: Field, y: Field, half_x: Field | float, half_y: Field | float, radius_mm: float) -> Field:
    """A cylinder whose section is a rectangle with rounded corners."""
    dx, dy = np.abs(x) - half_x + radius_mm, np.abs(y) - half_y + radius_mm
    outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
    return np.asarray(outside + np.minimum(np.maximum(dx, dy), 0) - radius_mm, dtype=np.float32)


def capsule(
    points: tuple[Field, Field, Field], start: Sequence[float], end: Sequence[float], radii: tuple[float, float]
) -> Field:
    """A straight piece of tube whose radius changes from `radii[0]` to `radii[1]`."""
    axis = np.subtract(end, start).astype(np.float32)
    length = float(axis @ axis) + 1e-6
    local = [p - np.float32(s) for p, s in zip(points, start, strict=True)]
    along = (local[0] * axis[0] + local[1] * axis[1] + local[2] * axis[2]) / np.float32(length)
    along = np.clip(along, 0, 1)
    squares = sum((p - along * a) ** 2 for p, a in zip(local, axis, strict=True))
    return np.asarray(np.sqrt(squares) - (radii[0] + along * np.float32(radii[1] - radii[0])), dtype=np.float32)


def tube(points: tuple[Field, Field, Field], path: NDArray[np.float64]) -> Field:
    """A tube along the rows (x, y, z, radius) of `path`."""
    distance = np.full(points[0].shape, FAR_MM, dtype=np.float32)
    for a, b in itertools.pairwise(path):
        reach = max(a[3], b[3]) + 12.0
        low, high = np.minimum(a, b)[:3] - reach, np.maximum(a, b)[:3] + reach
        near = np.ones(points[0].shape, dtype=bool)
        for p, lo, hi in zip(points, low, high, strict=True):
            near &= (p > lo) & (p < hi)
        x, y, z = (p[near] for p in points)
        distance[near] = np.minimum(distance[near], capsule((x, y, z), a[:3], b[:3], (a[3], b[3])))
    return distance


def smooth_path(knots: Sequence[Sequence[float]], step_mm: float = 8.0) -> NDArray[np.float64]:
    """Rows of numbers (x, y, z, and for instance a radius) interpolated smoothly along their path."""
    rows = np.array(knots, dtype=float)
    lengths = np.linalg.norm(np.diff(rows[:, :3], axis=0), axis=1)
    t = np.concatenate([[0.0], np.cumsum(lengths)])
    count = max(2, int(t[-1] / step_mm) + 1)
    return np.asarray(PchipInterpolator(t, rows, axis=0)(np.linspace(0, t[-1], count)), dtype=np.float64)

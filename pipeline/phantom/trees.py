"""Vessels and airways that fill a lung, grown by splitting the space they have to reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from pipeline.phantom.shapes import Field

_MURRAY = 2.85
_LEAF_RADIUS_MM = 0.42
_REACH = 0.46
_SHORTEST_MM = 2.5
_STRAIGHT_BELOW = 8

_Row = tuple[NDArray[np.float64], NDArray[np.float64], float, float, int]
"""Start, end, radius at each, and how many points the branch serves."""


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A tree of straight branches; row i runs from `start[i]` to `end[i]` (mm)."""

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    start_radius: NDArray[np.float64]
    end_radius: NDArray[np.float64]
    leaves: NDArray[np.int64]


class LungRoom:
    """Keeps what grows within the lungs, from their signed distance on a grid over the reference body."""

    _LOW = np.array([-135.0, -100.0, -160.0])
    _CELL_MM = 5.0
    _MARGIN_MM = 2.5

    def __init__(self, lungs: Callable[[tuple[Field, Field, Field]], Field]) -> None:
        axes = [low + self._CELL_MM * np.arange(count) for low, count in zip(self._LOW, (55, 40, 64), strict=True)]
        x, y, z = (axis.astype(np.float32) for axis in np.meshgrid(*axes, indexing="ij"))
        self._field = np.asarray(lungs((x, y, z)), dtype=np.float32)
        slopes = [np.gradient(self._field, self._CELL_MM, axis=axis) for axis in range(3)]
        self._slopes = [np.asarray(slope, dtype=np.float32) for slope in slopes]

    def keep_inside(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move places (N, 3) that are outside the lungs, or just under the pleura, towards the inside."""
        for _ in range(3):
            cells = ((places - self._LOW) / self._CELL_MM).T
            slope = np.stack([map_coordinates(s, cells, order=1, mode="nearest") for s in self._slopes])
            slope /= np.maximum(np.linalg.norm(slope, axis=0), 0.3)
            outside = map_coordinates(self._field, cells, order=1, mode="nearest") + self._MARGIN_MM
            places = places - (np.clip(outside, 0, 12) * slope).T
        return places


@dataclass(frozen=True, kw_only=True)
class _Tip:
    """Where a branch begins, which way its parent came, and the points that it has to serve."""

    start: NDArray[np.float64]
    heading: NDArray[np.float64]
    points: NDArray[np.float64]
    radius: float


def grow_tree(
    root: Sequence[float],
    heading: Sequence[float],
    targets: NDArray[np.float64],
    keep_inside: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    rng: np.random.Generator,
) -> Tree:
    """Grow a tree from a root to many points of a lung (space-filling branching after Tawhai 2000).

    Each branch goes part of the way to the middle of the points it serves; there the points are split in two.

    Args:
        root: Where it enters the lung, mm.
        heading: Direction at the root.
        targets: Points to reach, (N, 3) mm.
        keep_inside: Moves points (N, 3) that have left the lung back into it.
        rng: Jitters the splits.

    Returns:
        The branches from the root on; radii follow Murray's law from the number of points served.
    """
    first = np.asarray(heading, dtype=float)
    tips = [
        _Tip(
            start=np.asarray(root, dtype=float),
            heading=first / np.linalg.norm(first),
            points=targets,
            radius=_radius(len(targets)),
        )
    ]
    rows: list[_Row] = []
    while tips:
        ends = keep_inside(np.array([_end(tip) for tip in tips]))
        grown: list[_Tip] = []
        for tip, end in zip(tips, ends, strict=True):
            grown.extend(_branch(tip, end, rows, rng))
        tips = grown
    starts, stops, r0, r1, leaves = zip(*rows, strict=True)
    return Tree(
        start=np.array(starts),
        end=np.array(stops),
        start_radius=np.array(r0),
        end_radius=np.array(r1),
        leaves=np.array(leaves, dtype=np.int64),
    )


def _end(tip: _Tip) -> NDArray[np.float64]:
    reach = _REACH if len(tip.points) > 1 else 0.9
    return np.asarray(tip.start + (tip.points.mean(axis=0) - tip.start) * reach)


def _branch(tip: _Tip, end: NDArray[np.float64], rows: list[_Row], rng: np.random.Generator) -> list[_Tip]:
    """Add a curved branch to the rows, and return the tips that leave its end."""
    step, count = end - tip.start, len(tip.points)
    length = float(np.linalg.norm(step))
    if length < _SHORTEST_MM and count <= 2:
        return []
    bend = tip.start + 0.3 * step + tip.heading * 0.25 * length
    own = min(tip.radius, _radius(count))
    pieces = 3 if count >= _STRAIGHT_BELOW else 1
    t = np.linspace(0, 1, pieces + 1)[:, None]
    course = (1 - t) ** 2 * tip.start + 2 * t * (1 - t) * bend + t**2 * end
    radii = np.linspace(0.4 * tip.radius + 0.6 * own, own * 0.95, pieces + 1)
    rows.extend(zip(course[:-1], course[1:], radii[:-1], radii[1:], [count] * pieces, strict=True))
    heading = (end - bend) / (np.linalg.norm(end - bend) + 1e-9)
    if count == 1:
        for twig in heading * 2.5 + rng.normal(0, 3.2, (2, 3)):
            rows.append((end, end + twig, own * 0.9, own * 0.6, 1))
        return []
    halves = _split(tip.points, heading, rng)
    return [_Tip(start=end, heading=heading, points=half, radius=own) for half in halves]


def airways_along(tree: Tree, root: Sequence[float], smallest: int) -> Tree:
    """The airways that run beside the arteries of a tree, as far as those serve `smallest` points or more.

    Radii are those of the lumen.
    """
    keep = tree.leaves >= smallest
    aside = np.array([0.15, -0.85, -0.5])
    shift = np.asarray(root, dtype=float) - tree.start[0]

    def moved(points: NDArray[np.float64], radius: NDArray[np.float64]) -> NDArray[np.float64]:
        near = np.exp(-np.linalg.norm(points - tree.start[0], axis=1) / 25)[keep, None]
        beside = points[keep] + aside * (radius[keep, None] * 2.0 + 0.5)
        return np.asarray(beside * (1 - near) + (points[keep] + shift) * near)

    return Tree(
        start=moved(tree.start, tree.start_radius),
        end=moved(tree.end, tree.end_radius),
        start_radius=tree.start_radius[keep] * 0.78,
        end_radius=tree.end_radius[keep] * 0.78,
        leaves=tree.leaves[keep],
    )


def _radius(leaves: int) -> float:
    return float(_LEAF_RADIUS_MM * leaves ** (1 / _MURRAY))


def _split(
    points: NDArray[np.float64], heading: NDArray[np.float64], rng: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Two halves of the points, cut along the branch, across the direction in which they spread most."""
    centred = points - points.mean(axis=0)
    flat = centred - np.outer(centred @ heading, heading) * 0.6
    spread = np.linalg.eigh(flat.T @ flat + np.eye(3) * 1e-6)[1][:, -1]
    normal = spread + rng.normal(0, 0.22, 3)
    side = centred @ normal
    order = np.argsort(side)
    cut = round(len(points) * rng.uniform(0.38, 0.62))
    return [points[order[:cut]], points[order[cut:]]]

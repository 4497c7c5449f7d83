"""Whether an affine can be trusted, and how far two grids lie apart."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from os import PathLike

import numpy as np

from transforms.errors import GeometryError
from transforms.reading.volume import Affine

MIN_SPACING_MM = 0.01
"""Shorter voxel edges are no CT of a patient."""

MAX_SPACING_MM = 100.0
"""Longer voxel edges are no CT of a patient; also catches headers in other units."""

PERPENDICULAR_TOLERANCE = 1e-3
"""Largest cosine between two voxel axes: 0.06 degrees, or 0.3 mm over 300 mm."""

GRID_TOLERANCE_MM = 0.1
"""Two grids are the same when no corner of one lies further from its place in the other."""


def corner_distance_mm(first: Affine, second: Affine, shape: Sequence[int]) -> float:
    """The largest distance in millimetres between the corners of a grid of `shape` under two affines."""
    corners = np.array(list(itertools.product(*((0, size - 1) for size in shape))), dtype=np.float64)
    moved = (np.c_[corners, np.ones(len(corners))] @ (first - second).T)[:, :3]
    return float(np.linalg.norm(moved, axis=1).max())


def check_affine(affine: Affine, where: str | PathLike[str]) -> None:
    """Refuses an affine that cannot place a CT.

    Raises:
        GeometryError: For values that are not numbers, voxel edges of no or absurd length, axes that are not
            perpendicular.
    """
    if not np.isfinite(affine).all():
        raise _refusal(where, "the affine holds values that are not numbers", None, "finite numbers")
    edges = np.linalg.norm(affine[:3, :3], axis=0)
    if edges.min() < MIN_SPACING_MM or edges.max() > MAX_SPACING_MM:
        found = " x ".join(f"{edge:.4g}" for edge in edges) + " mm"
        raise _refusal(where, "the voxel size is impossible", found, f"{MIN_SPACING_MM} to {MAX_SPACING_MM:g} mm")
    axes = affine[:3, :3] / edges
    cosine = float(np.abs(axes.T @ axes - np.eye(3)).max())
    if cosine > PERPENDICULAR_TOLERANCE:
        angle = 90 - np.degrees(np.arccos(min(cosine, 1.0)))
        raise _refusal(where, "the voxel axes are not perpendicular", f"{angle:.2f} degrees off", "right angles")


def _refusal(where: str | PathLike[str], finding: str, found: str | None, expected: str) -> GeometryError:
    return GeometryError(
        finding,
        where=where,
        found=found,
        expected=expected,
        remedy="Convert the series again from its DICOM files, or give those",
    )

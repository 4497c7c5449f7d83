"""Thin tubes drawn straight onto the voxels, with the part of each voxel that they fill."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Coverage = NDArray[np.uint8]
"""Filled part of each voxel in 255ths, (Z, Y, X)."""

_FAINTEST = 0.2
"""Radius, as part of the blur, below which a tube would change a voxel by less than noise does."""


def paint_tubes(
    coverage: Coverage,
    spacing_mm: NDArray[np.float64],
    segments: NDArray[np.float64],
) -> None:
    """Draw straight pieces of tube into `coverage`, in place.

    A voxel across a thick slice averages what runs through it: distances along an axis count less where the voxels
    are long, and tubes thinner than a voxel leave a faint trace.

    Args:
        coverage: Raised to what each tube fills.
        spacing_mm: Voxel spacing (X, Y, Z).
        segments: Rows x0, y0, z0, x1, y1, z1, r0, r1 in millimetres along the image's axes.
    """
    shrink = 1.0 / np.maximum(spacing_mm, 1.0)
    blur = 0.42 * float(np.prod(spacing_mm)) ** (1 / 3)
    segments = segments[segments[:, 6:].max(axis=1) > _FAINTEST * blur]
    edge = float(np.clip(np.median(spacing_mm) * 1.1, 0.6, 2.0))
    reach = (segments[:, 6:].max(axis=1) + edge)[:, None]
    low = (np.minimum(segments[:, :3], segments[:, 3:6]) - reach / shrink) / spacing_mm
    high = (np.maximum(segments[:, :3], segments[:, 3:6]) + reach / shrink) / spacing_mm
    size = np.array(coverage.shape[::-1])
    first = np.maximum(np.ceil(low), 0).astype(int)
    last = np.minimum(np.floor(high) + 1, size).astype(int)
    axes = [(np.arange(n) * s * k).astype(np.float32) for n, s, k in zip(size, spacing_mm, shrink, strict=True)]
    starts = (segments[:, :3] * shrink).astype(np.float32)
    steps = ((segments[:, 3:6] - segments[:, :3]) * shrink).astype(np.float32)
    radii = segments[:, 6:].astype(np.float32)
    for i in np.flatnonzero((last > first).all(axis=1)):
        (x0, y0, z0), (x1, y1, z1) = first[i], last[i]
        x, y, z = axes[0][x0:x1], axes[1][y0:y1], axes[2][z0:z1]
        filled = _filled(x, y, z, starts[i], steps[i], radii[i], blur, edge)
        part = coverage[z0:z1, y0:y1, x0:x1]
        np.maximum(part, filled, out=part)


def _filled(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    z: NDArray[np.float32],
    start: NDArray[np.float32],
    step: NDArray[np.float32],
    radii: NDArray[np.float32],
    blur: float,
    edge: float,
) -> Coverage:
    dx, dy, dz = x - start[0], (y - start[1])[:, None], (z - start[2])[:, None, None]
    along = (dx * step[0] + dy * step[1] + dz * step[2]) / (step @ step + np.float32(1e-6))
    np.clip(along, 0, 1, out=along)
    square = (dx - along * step[0]) ** 2 + (dy - along * step[1]) ** 2 + (dz - along * step[2]) ** 2
    radius = radii[0] + along * (radii[1] - radii[0])
    seen = 1 - np.exp(-(radius**2) / (2 * blur * blur))
    part = (np.maximum(radius, 0.5 * edge) - np.sqrt(square)) / edge + 0.5
    return np.asarray(np.clip(part, 0, 1) * seen * 255, dtype=np.uint8)

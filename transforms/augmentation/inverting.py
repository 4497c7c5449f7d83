"""Where the voxels of a volume went in a deformed patch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.nn import functional

from transforms.augmentation.deformation import Deformation

STEPS_PER_SPACING = 8
"""The inverse is solved this often between control points and interpolated in between."""

CLOSE_ENOUGH = 1e-4
"""Of the distance of control points: where the iteration ends."""

MOST_ITERATIONS = 50
"""Even a field at its limit needs fewer."""


def inverse_positions(
    deformation: Deformation,
    patch_size: Sequence[int],
    spacing_mm: NDArray[np.float64],
    start: NDArray[np.float64],
    shape: NDArray[np.int64],
) -> torch.Tensor:
    """Patch indices of the voxels of a box of the volume.

    Args:
        deformation: Of the patch.
        patch_size: Its voxels.
        spacing_mm: Of the volume and the patch.
        start: First voxel of the box, off the patch's centre.
        shape: Voxels of the box.

    Returns:
        `(3, *shape)` float32; beyond the patch where a voxel is not in it.
    """
    step = deformation.control_spacing_mm / STEPS_PER_SPACING
    bent = deformation.control_mm is not None
    counts = [int(np.ceil(n * mm / step)) + 1 if bent else 2 for n, mm in zip(shape, spacing_mm, strict=True)]
    counts = [min(count, max(int(n), 2)) for count, n in zip(counts, shape, strict=True)]
    knots = [first + np.linspace(0, n - 1, count) for first, n, count in zip(start, shape, counts, strict=True)]
    places_mm = np.stack(np.meshgrid(*knots, indexing="ij")).reshape(3, -1) * spacing_mm[:, None]
    straight = np.linalg.solve(deformation.matrix, places_mm - deformation.translation_mm[:, None])
    found = _before_field(deformation, straight) / spacing_mm[:, None]
    found += (np.asarray(patch_size)[:, None] - 1) / 2
    coarse = torch.from_numpy(found.reshape(1, 3, *counts)).float()
    return functional.interpolate(coarse, size=[int(n) for n in shape], mode="trilinear", align_corners=True)[0]


def _before_field(deformation: Deformation, places_mm: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Solves `x + u(x) = places` for `x`, all `(3, N)`, by fixed-point iteration (Chen et al. 2008)."""
    control = deformation.control_mm
    if control is None:
        return places_mm
    x = places_mm.copy()
    for _ in range(MOST_ITERATIONS):
        missing = places_mm - x - _field(control, deformation.control_spacing_mm, x)
        x += missing
        if np.abs(missing).max() < CLOSE_ENOUGH * deformation.control_spacing_mm:
            break
    return x


def _field(
    control: NDArray[np.float64], spacing_mm: float, places_mm: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """The elastic field `(3, N)` at any places: SciPy evaluates splines of given control points without its filter."""
    bent = [axis for axis in range(3) if control.shape[axis + 1] > 1]
    middle = (np.array(control.shape[1:])[bent, None] - 1) / 2
    nodes = places_mm[bent] / spacing_mm + middle
    flat = control.reshape(3, *(control.shape[axis + 1] for axis in bent))
    return np.stack(
        [ndimage.map_coordinates(part, nodes, order=3, prefilter=False, mode="grid-constant") for part in flat]
    )

"""Padding outside the field of view: values such as -2000 or -3024 that say "nothing was measured here"."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.reading.volume import Voxels
from transforms.reading.voxels import slices_of

AIR_HU = -1024
"""What padding becomes: the smallest HU that scanners give for air."""

PADDING_HU = -1500
"""No tissue and no noise of air reaches below this; padding does, and streaks beside metal."""

PADDING_SHARE = 1e-3
"""Padding is one value that at least this share of the voxels has."""

PADDING_GAP = 100
"""In so many units above padding lies hardly anything."""


def replace_padding(array: Voxels) -> str | None:
    """Sets padding to -1024 HU, in the array itself; returns a sentence about it, or `None` where there is none.

    It is padding where the smallest value lies below :data:`PADDING_HU`, many voxels have it and hardly any lie just
    above. Then what else lies below :data:`PADDING_HU`, padding blended with its neighbours by resampling, goes with
    it. Streaks beside metal alone are left as they are.

    Args:
        array: `(X, Y, Z)` in HU.
    """
    low = array.min()
    if not low < PADDING_HU:
        return None
    counts = [_at_and_above(piece, low) for piece in slices_of(array)]
    if not _is_padding(sum(at for at, _ in counts), sum(above for _, above in counts), array.size):
        return None
    replaced = 0
    for piece in slices_of(array):
        outside = piece < PADDING_HU
        replaced += int(np.count_nonzero(outside))
        piece[outside] = AIR_HU
    return f"{replaced} voxels outside the field of view, padded with {low:g}, were set to {AIR_HU}."


def without_padding(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The values without the smallest one, where that stands alone as padding does, in whatever units."""
    low = values.min()
    at, above = _at_and_above(values, low)
    return values[values > low] if at < values.size and _is_padding(at, above, values.size) else values


def _at_and_above(values: npt.NDArray[Any], low: np.generic) -> tuple[int, int]:
    """How many values are the smallest, and how many lie within the gap above it."""
    near = values <= float(low) + PADDING_GAP
    at = int(np.count_nonzero(values == low))
    return at, int(np.count_nonzero(near)) - at


def _is_padding(at: int, above: int, size: int) -> bool:
    return at >= PADDING_SHARE * size and above <= at / 10

"""Pictures that look nearly alike, by a perceptual hash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

SIDE = 16
"""Rows and columns of the comparisons; a hash has twice their product of bits."""

NEAR = 0.08
"""Share of different bits up to which two pictures count as nearly alike."""

Bits = NDArray[np.bool_]


class NearPair(NamedTuple):
    """Two pictures that are nearly alike: their numbers in either list, and the share of bits that differ."""

    first: int
    second: int
    distance: float


def difference_hash(gray: NDArray[np.floating]) -> Bits:
    """Whether each field of a picture is brighter than its neighbours to the left and above (dHash, Krawetz 2013).

    It does not change with size, brightness or contrast.

    Args:
        gray: `(H, W)`.

    Returns:
        `(2 x SIDE²,)`.
    """
    picture = torch.as_tensor(np.ascontiguousarray(gray), dtype=torch.float32)[None, None]
    fields = functional.interpolate(picture, size=(SIDE + 1, SIDE + 1), mode="area")[0, 0]
    across = fields[1:, 1:] > fields[1:, :-1]
    down = fields[1:, 1:] > fields[:-1, 1:]
    return np.asarray(torch.stack([across, down]).flatten().numpy())


def near_pairs(first: Sequence[Bits], second: Sequence[Bits], near: float = NEAR) -> list[NearPair]:
    """Pairs, one picture of each list, whose hashes differ in at most a share of their bits; the nearest first."""
    if not first or not second:
        return []
    one, other = np.stack(first).astype(np.float32), np.stack(second).astype(np.float32)
    differing = (one @ (1 - other).T + (1 - one) @ other.T) / one.shape[1]
    found = [
        NearPair(int(i), int(j), float(differing[i, j])) for i, j in zip(*np.nonzero(differing <= near), strict=True)
    ]
    return sorted(found, key=lambda pair: pair.distance)

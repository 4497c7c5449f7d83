"""Where patches lie in a volume: on a lattice, or only where something is to be found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

Place = tuple[slice, slice, slice]
"""The box of a patch."""

_Range = tuple[int, int]


def lattice(shape: Sequence[int], patch_size: Sequence[int], overlap: float) -> list[Place]:
    """The patches of MONAI's `SlidingWindowInferer`: a fixed step, the last one flush with the end.

    Args:
        shape: Voxels of the volume, at least the patch's.
        patch_size: Voxels of a patch.
        overlap: Share of a patch that the next one covers again, in `[0, 1)`.
    """
    starts = []
    for extent, size in zip(shape, patch_size, strict=True):
        step = max(1, int(size * (1 - overlap)))
        count = 1 if extent <= size else -(-(extent - size) // step) + 1
        starts.append([min(index * step, extent - size) for index in range(count)])
    return [_place(corner, patch_size) for corner in product(*starts)]


def covering(mask: npt.NDArray[np.bool_], patch_size: Sequence[int], overlap: float) -> list[Place]:
    """Few patches that hold a whole mask, evenly spread over it.

    The mask is cut into layers along x, each layer into rows along y, each row into patches along z; each time only
    the range that the mask still takes up is covered, so organs that taper need fewer patches than their box.

    Args:
        mask: `(X, Y, Z)`, at least the patch's size.
        patch_size: Voxels of a patch.
        overlap: Least share of a patch that the next one covers again, in `[0, 1)`.

    Returns:
        The patches in the order of x, y and z; none for an empty mask.
    """
    return [_place(corner, patch_size) for corner in _corners(mask, patch_size, overlap)]


def _corners(mask: npt.NDArray[np.bool_], patch_size: Sequence[int], overlap: float) -> Iterator[tuple[int, ...]]:
    size, rest = int(patch_size[0]), patch_size[1:]
    taken = np.flatnonzero(mask.reshape(len(mask), -1).any(axis=1))
    if not taken.size:
        return
    for start in _spread((int(taken[0]), int(taken[-1]) + 1), size, len(mask), overlap):
        if not rest:
            yield (start,)
        else:
            layer = np.asarray(mask[start : start + size].any(axis=0))
            yield from ((start, *corner) for corner in _corners(layer, rest, overlap))


def _spread(taken: _Range, size: int, extent: int, overlap: float) -> list[int]:
    """Evenly spread starts of the fewest ranges of `size` that cover another one, within `0..extent`."""
    first, last = taken
    step = max(1, int(size * (1 - overlap)))
    count = 1 if last - first <= size else -(-(last - first - size) // step) + 1
    slack = count * size - (last - first)
    lowest = first - slack // 2 if count == 1 else first
    highest = lowest if count == 1 else last - size
    starts = np.linspace(lowest, highest, count).round().astype(int).clip(0, max(0, extent - size))
    return [int(start) for start in starts]


def _place(corner: Sequence[int], patch_size: Sequence[int]) -> Place:
    x, y, z = (slice(start, start + int(size)) for start, size in zip(corner, patch_size, strict=True))
    return x, y, z

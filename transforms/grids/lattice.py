"""Where overlapping patches lie on a grid, and which of them have a say where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from transforms.errors import SettingError
from transforms.grids.grid import AxisMap, Grid
from transforms.grids.network_grid import network_grid

SIGMA_SHARE = 0.125
"""Standard deviation of the Gaussian that patches are blended with, in patches."""

MIN_WEIGHT = 0.02
"""A patch has no say where, along some axis, it weighs less than this share of the heaviest patch there."""

Ranges = tuple[tuple[int, int], ...]
"""From and up to an index, for each axis."""


@dataclass(frozen=True, kw_only=True)
class PatchLattice:
    """Overlapping patches with a fixed step, the last one flush with the end: those of MONAI's sliding window.

    Attributes:
        patch_size: Voxels of a patch along each axis.
        overlap: Share of a patch that the next one covers again, in `[0, 1)`.
        min_weight: A patch has a say where, along each axis, it weighs at least this share of the heaviest patch
            there, in `(0, 1]`; with 1 it is the nearest patch alone that has.

    Raises:
        SettingError: When a number is out of its range.
    """

    patch_size: tuple[int, ...]
    overlap: float
    min_weight: float = MIN_WEIGHT

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < 1:
            raise SettingError(
                "the overlap of patches cannot be used", where="overlap", found=self.overlap, expected="0 to below 1"
            )
        if not 0 < self.min_weight <= 1:
            raise SettingError(
                "the least weight of a patch cannot be used",
                where="min_weight",
                found=self.min_weight,
                expected="above 0, up to 1",
            )

    def starts(self, shape: Sequence[int]) -> list[list[int]]:
        """Where patches begin along each axis of a grid; 0 where a patch is larger than the grid."""
        return [self._starts(extent, size) for extent, size in zip(shape, self.patch_size, strict=True)]

    def chosen(self, shape: Sequence[int], counts: Callable[[Ranges], bool]) -> list[tuple[int, ...]]:
        """Where the patches begin that count.

        Args:
            shape: Voxels of the grid.
            counts: Whether a patch counts, by the ranges of voxels in which it has a say.

        Returns:
            In the order of the axes.
        """
        axes = [
            list(zip(starts, self._cores(starts, extent, size), strict=True))
            for starts, extent, size in zip(self.starts(shape), shape, self.patch_size, strict=True)
        ]
        return [
            tuple(start for start, _ in patch) for patch in product(*axes) if counts(tuple(core for _, core in patch))
        ]

    def around(self, box: Ranges, shape: Sequence[int]) -> Ranges:
        """The box of all patches that have a say in a box, within the grid."""
        found = []
        for (low, high), starts, extent, size in zip(box, self.starts(shape), shape, self.patch_size, strict=True):
            cores = self._cores(starts, extent, size)
            hit = [at for at, (first, last) in zip(starts, cores, strict=True) if first < high and low < last]
            found.append((hit[0], min(hit[-1] + size, extent)) if hit else (low, high))
        return tuple(found)

    def _starts(self, extent: int, size: int) -> list[int]:
        step = max(1, int(size * (1 - self.overlap)))
        count = 1 if extent <= size else -(-(extent - size) // step) + 1
        return [max(0, min(index * step, extent - size)) for index in range(count)]

    def _cores(self, starts: Sequence[int], extent: int, size: int) -> list[tuple[int, int]]:
        """The range of voxels along an axis where each patch has a say."""
        if extent <= size:
            return [(0, extent)]
        middles = np.asarray(starts)[:, None] + (size - 1) / 2
        offset = np.arange(extent)[None] - middles
        # In logarithms: far from every middle all weights are next to nothing, and yet one is the largest.
        weight = -0.5 * (offset / (SIGMA_SHARE * size)) ** 2
        weight[np.abs(offset) > size / 2] = -np.inf
        share: NDArray[np.float64] = np.exp(weight - weight.max(axis=0))
        hits = [np.flatnonzero(row >= self.min_weight) for row in share]
        return [(int(hit[0]), int(hit[-1]) + 1) for hit in hits]


@dataclass(frozen=True, kw_only=True)
class NetworkLattice:
    """Patches on the network grid of a whole volume.

    Attributes:
        patches: Where they lie on it.
        spacing_mm: Of the network grid; see :func:`transforms.grids.network_grid`.
        orientation: Of the network grid.
    """

    patches: PatchLattice
    spacing_mm: Sequence[float | None]
    orientation: str

    def around(self, start: Sequence[int], stop: Sequence[int], grid: Grid) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The box of a volume that holds all patches which have a say in another box.

        Args:
            start: First voxel of the box.
            stop: First voxel behind it.
            grid: Of the whole volume.
        """
        network = network_grid(grid, self.spacing_mm, self.orientation)
        onto = AxisMap.between(network, grid)
        box = [(0, 0)] * 3
        for axis, network_axis in enumerate(onto.axes):
            ends = sorted(onto.scale[axis] * at + onto.offset[axis] for at in (start[axis], stop[axis] - 1))
            box[network_axis] = (
                max(0, int(np.floor(ends[0]))),
                min(network.shape[network_axis], int(np.ceil(ends[1])) + 1),
            )
        wide = self.patches.around(tuple(box), network.shape)
        low, high = list(start), list(stop)
        for axis, network_axis in enumerate(onto.axes):
            first, last = wide[network_axis]
            ends = sorted((at - onto.offset[axis]) / onto.scale[axis] for at in (first, last - 1))
            low[axis] = min(start[axis], max(0, int(np.floor(ends[0] + 1e-3))))
            high[axis] = max(stop[axis], min(grid.shape[axis], int(np.ceil(ends[1] - 1e-3)) + 1))
        return tuple(low), tuple(high)

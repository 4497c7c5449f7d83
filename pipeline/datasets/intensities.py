"""Mean, deviation and percentiles of a training set's intensities, a case at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from transforms.errors import DataListError
from transforms.hu_windows import HUWindow, WindowForm
from transforms.reading import check_same_grid, read_label_map
from transforms.stacks import StackSettings, read_image_stack
from transforms.stacks.load import part_of

HISTOGRAM_HU = (-4096, 32767)
"""Range of the percentiles; CT files hold 12 bits as a rule, 16 with metal, and padding down to −3024."""


@dataclass(frozen=True, kw_only=True)
class Intensities:
    """What a training set's voxels have for HU, clipped to the window where one was given.

    Attributes:
        mean: In HU, exact to floating point.
        std: In HU, of all voxels (the population's, not a sample's).
        percentile_00_5: In HU, to the nearest whole one.
        percentile_50: The median, likewise.
        percentile_99_5: Likewise.
        voxels: How many voxels were measured.
        cases: How many cases they come from.
    """

    mean: float
    std: float
    percentile_00_5: int
    percentile_50: int
    percentile_99_5: int
    voxels: int
    cases: int


def measure_intensities(
    data: Iterable[Mapping[str, Any]],
    *,
    window: WindowForm | None = None,
    image_key: str = "image",
    label_key: str | None = None,
) -> Intensities:
    """Measures the intensities of a training set, for `scaling: dataset` of the HU windows.

    One volume is in memory at a time and a slice of it in double precision.

    Args:
        data: Items of a data list with paths, of CT volumes or stacks of slices (their `slices` are measured).
        window: HU window that voxels are clipped to first, as they will be for the network; see
            :meth:`transforms.HUWindow.from_config`.
        image_key: Key of the CT's path.
        label_key: Key of a label map's path: only voxels whose label is above 0 are measured. `None` for all voxels.

    Raises:
        DataListError: When there is no case, an item lacks a key, or not a single voxel is measured.
        CTError: Another of the family for a file that cannot be read.
    """
    clip = None if window is None else HUWindow.from_config(window)
    tally = Tally()
    cases = 0
    for item in data:
        for voxels in _slices(item, image_key, label_key):
            tally.add(voxels if clip is None else np.clip(voxels, clip.low, clip.high))
        cases += 1
    if tally.count == 0:
        raise DataListError(
            "there is no voxel to measure",
            found=f"{cases} cases" + ("" if label_key is None else " without a label above 0"),
            expected="at least one voxel",
            remedy="Check the data set's list" + ("" if label_key is None else ", or measure without --foreground"),
        )
    low, middle, high = (tally.percentile(percent) for percent in (0.5, 50.0, 99.5))
    return Intensities(
        mean=tally.mean,
        std=math.sqrt(tally.squares / tally.count),
        percentile_00_5=low,
        percentile_50=middle,
        percentile_99_5=high,
        voxels=tally.count,
        cases=cases,
    )


@dataclass
class Tally:
    """Count, mean, sum of squared deviations and histogram, merged chunk by chunk (Chan, Golub and LeVeque 1983)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    histogram: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(HISTOGRAM_HU[1] - HISTOGRAM_HU[0] + 1, dtype=np.int64)
    )

    def add(self, voxels: NDArray[np.float64]) -> None:
        """Counts voxels, in HU."""
        if voxels.size == 0:
            return
        mean = float(voxels.mean())
        bins = np.clip(np.rint(voxels), *HISTOGRAM_HU).astype(np.int64) - HISTOGRAM_HU[0]
        histogram = np.bincount(bins, minlength=self.histogram.size)
        self.merge(Tally(int(voxels.size), mean, float(np.square(voxels - mean).sum()), histogram))

    def merge(self, other: Tally) -> None:
        """Counts what another has counted."""
        if other.count == 0:
            return
        apart, total = other.mean - self.mean, self.count + other.count
        self.squares += other.squares + apart * apart * self.count * other.count / total
        self.mean += apart * other.count / total
        self.count = total
        self.histogram += other.histogram

    def percentile(self, percent: float) -> int:
        """The smallest HU that this share of the voxels does not exceed."""
        rank = max(1, math.ceil(percent / 100 * self.count))
        return int(np.searchsorted(np.cumsum(self.histogram), rank)) + HISTOGRAM_HU[0]


def _slices(item: Mapping[str, Any], image_key: str, label_key: str | None) -> Iterator[NDArray[np.float64]]:
    """The voxels to measure, flat, a slice along the last axis at a time."""
    volume, _ = read_image_stack(_path(item, image_key), StackSettings(), part=part_of(item))
    hu = volume.as_subclass(torch.Tensor)[0].numpy()
    if label_key is None:
        for index in range(hu.shape[2]):
            yield hu[:, :, index].ravel().astype(np.float64)
        return
    label_map = read_label_map(_path(item, label_key))
    check_same_grid(volume, label_map)
    labels = label_map.as_subclass(torch.Tensor)[0].numpy()
    for index in range(hu.shape[2]):
        yield hu[:, :, index][labels[:, :, index] > 0].astype(np.float64)


def _path(item: Mapping[str, Any], key: str) -> str | PathLike[str]:
    if key not in item:
        raise DataListError(
            f"a case has no {key}",
            where=item.get("case"),
            found=", ".join(item),
            expected=key,
            remedy="Add it to the list",
        )
    path: str | PathLike[str] = item[key]
    return path

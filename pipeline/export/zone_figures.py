"""Density of the lungs and involvement of their thirds, from counted voxels."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np

from pipeline.export.lung_zones import THIRDS, LungCounts
from pipeline.export.severity import points_of


@dataclass(frozen=True, kw_only=True)
class Density:
    """What the HU of some lung say; all None where there is none.

    Attributes:
        mean_hu: Mean lung density.
        percent_below_minus_950_hu: Share of its voxels below -950 HU, a measure of emphysema on thin slices at full
            inspiration (Gevenois et al. 1996).
        percent_minus_700_to_minus_300_hu: Share of its voxels in this range, both ends included: that of ground glass.
    """

    mean_hu: float | None = None
    percent_below_minus_950_hu: float | None = None
    percent_minus_700_to_minus_300_hu: float | None = None


@dataclass(frozen=True, kw_only=True)
class LungDensity:
    """Density of the left lung, of the right, and of both together."""

    left: Density = field(default_factory=Density)
    right: Density = field(default_factory=Density)
    total: Density = field(default_factory=Density)


@dataclass(frozen=True, kw_only=True)
class Zone:
    """One third of a lung; all None where there is no lung.

    Attributes:
        volume_ml: Its volume.
        percent_involved: Lesions of the lung in percent of it.
        points: Its part of the severity score, 0 to 4.
    """

    volume_ml: float | None = None
    percent_involved: float | None = None
    points: int | None = None


@dataclass(frozen=True, kw_only=True)
class Thirds:
    """The thirds of a lung, of equal height along the patient's long axis."""

    upper: Zone = field(default_factory=Zone)
    middle: Zone = field(default_factory=Zone)
    lower: Zone = field(default_factory=Zone)


@dataclass(frozen=True, kw_only=True)
class LungZones:
    """The six zones."""

    left: Thirds = field(default_factory=Thirds)
    right: Thirds = field(default_factory=Thirds)

    def percents(self) -> list[float | None]:
        """Give the involvement of the six zones, left upper, middle and lower first."""
        sides = asdict(self).values()
        return [side[third]["percent_involved"] for side in sides for third in ("upper", "middle", "lower")]


def density_of(lungs: LungCounts | None) -> LungDensity:
    """Make the density of the lungs from counts.

    Args:
        lungs: The counts; None where no lungs were found.

    Returns:
        Left, right and both.
    """
    if lungs is None:
        return LungDensity()
    return LungDensity(left=_density(lungs, [0]), right=_density(lungs, [1]), total=_density(lungs, [0, 1]))


def zones_of(lungs: LungCounts | None, lesion_values: list[int], voxel_ml: float) -> LungZones:
    """Make the six zones from counts.

    Args:
        lungs: The counts; None where no lungs were found.
        lesion_values: Label values of the classes that are lesions of the lung.
        voxel_ml: Volume of a voxel.

    Returns:
        The zones; without involvement where there are no such classes.
    """
    if lungs is None:
        return LungZones()
    left, right = (_thirds(lungs, row, lesion_values, voxel_ml) for row in (0, 1))
    return LungZones(left=left, right=right)


def _density(lungs: LungCounts, rows: list[int]) -> Density:
    voxels = int(lungs.by_side[rows].sum())
    if voxels == 0:
        return Density()
    return Density(
        mean_hu=float(lungs.hu_sum[rows].sum()) / voxels,
        percent_below_minus_950_hu=100.0 * int(lungs.below[rows].sum()) / voxels,
        percent_minus_700_to_minus_300_hu=100.0 * int(lungs.hazy[rows].sum()) / voxels,
    )


def _thirds(lungs: LungCounts, row: int, lesion_values: list[int], voxel_ml: float) -> Thirds:
    zones: dict[str, Zone] = {}
    for name, counts in zip(THIRDS, lungs.voxels[row], strict=True):
        voxels = int(counts.sum())
        if voxels == 0:
            continue
        known = bool(lesion_values)
        percent = 100.0 * int(np.sum(counts[lesion_values])) / voxels if known else None
        zones[name] = Zone(volume_ml=voxels * voxel_ml, percent_involved=percent, points=points_of(percent))
    return Thirds(**zones)

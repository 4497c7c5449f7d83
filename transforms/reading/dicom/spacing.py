"""Planes of a volume between slices along their normal: the slices themselves, or on request an even grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.dicom_headers import Slice
from transforms.errors import GeometryError
from transforms.reading.dicom.geometry import Points

EVEN_TOLERANCE_MM = 0.1
"""How far a slice may lie from its place on the even grid between the first and the last: positions that a header
rounds to 0.1 mm."""

EVEN_TOLERANCE_SHARE = 0.2
"""The same in shares of the usual distance: a missing slice moves others by half of it or more, however thin."""

MAX_BRIDGED_MM = 10.0
"""Slices further apart are never interpolated between: what lies there was not measured, and a lesion may be in it."""

_NAMED_GAPS = 4


class Planes(NamedTuple):
    """`Z` planes at equal distances from the first of `N` slices to the last."""

    step_mm: float
    lower: npt.NDArray[np.intp]
    """`(Z,)`: the slice at each plane or before it."""
    share: Points
    """`(Z,)`: how much of the slice after it a plane takes, 0..1."""
    repairs: tuple[str, ...]
    """Not empty where planes lie between slices."""


def planes_of(slices: Sequence[Slice], places: Points, where: str, *, interpolate: bool) -> Planes:
    """The planes of slices at `places`, two or more in rising order, millimetres.

    Evenly spaced slices are the planes. Others are interpolated between, where that is asked for: the number of planes
    is the one whose distance comes next to the median distance of the slices, and a plane takes a slice as it is where
    that lies within the tolerance.

    Raises:
        GeometryError: When slices are missing or unevenly spaced, and interpolation is not asked for or has to reach
            over more than :data:`MAX_BRIDGED_MM`.
    """
    gaps = np.diff(places)
    tolerance = _tolerance(places)
    if is_even(places):
        count = np.arange(len(places))
        return Planes(float(places[-1] - places[0]) / (len(places) - 1), count, np.zeros(len(count)), ())
    if not interpolate:
        raise _refusal(slices, places, where, tolerance)
    if gaps.max() > MAX_BRIDGED_MM + tolerance:
        raise _too_wide(slices, places, where)
    return _interpolated(places, float(np.median(gaps)), tolerance)


def is_even(places: Points) -> bool:
    """Whether each of the places, in rising order, lies within the tolerance of an even grid from first to last."""
    if len(places) < 3:
        return True
    even = np.linspace(places[0], places[-1], len(places))
    return bool(np.abs(places - even).max() <= _tolerance(places))


def _tolerance(places: Points) -> float:
    return min(EVEN_TOLERANCE_MM, EVEN_TOLERANCE_SHARE * float(np.median(np.diff(places)))) + 1e-6


def _interpolated(places: Points, usual: float, tolerance: float) -> Planes:
    count = round(float(places[-1] - places[0]) / usual) + 1
    planes = np.linspace(places[0], places[-1], max(count, 2))
    step = float(planes[1] - planes[0])
    lower = np.clip(np.searchsorted(places, planes, side="right") - 1, 0, len(places) - 2)
    below, above = places[lower], places[lower + 1]
    share = (planes - below) / (above - below)
    share[planes - below <= tolerance] = 0.0
    share[above - planes <= tolerance] = 1.0
    between = int(np.count_nonzero((share > 0) & (share < 1)))
    return Planes(step, lower, share, (
        f"The slices are unevenly spaced, with gaps of {_gaps(np.diff(places))}: {len(places)} slices became "
        f"{len(planes)} planes {step:.4g} mm apart, {between} of them interpolated between two slices.",
    ))  # fmt: skip


def _refusal(slices: Sequence[Slice], places: Points, where: str, tolerance: float) -> GeometryError:
    gaps = np.diff(places)
    multiples = np.rint(gaps / gaps.min()).astype(int)
    whole = bool(np.abs(gaps - multiples * gaps.min()).max() <= 2 * tolerance)
    wide = np.flatnonzero(multiples > 1) if whole else [int(gaps.argmax())]
    return GeometryError(
        f"{(multiples - 1).sum()} slice(s) seem to be missing" if whole else "the slices are not evenly spaced",
        where=where,
        found=f"gaps of {_gaps(gaps)}; {'missing' if whole else 'the widest'} {_between(slices, places, wide)}",
        expected=f"every slice within {tolerance:.2g} mm of an even grid",
        remedy="Transfer the series again, choose another with --series-uid, or pass --allow uneven to interpolate",
    )


def _too_wide(slices: Sequence[Slice], places: Points, where: str) -> GeometryError:
    wide = np.flatnonzero(np.diff(places) > MAX_BRIDGED_MM)
    return GeometryError(
        "the slices are too far apart to interpolate between them",
        where=where,
        found=f"gaps of {_gaps(np.diff(places))}; the widest {_between(slices, places, wide)}",
        expected=f"at most {MAX_BRIDGED_MM:g} mm",
        remedy="Transfer the series again, or move each part of it to a folder of its own",
    )


def _gaps(gaps: Points) -> str:
    kinds = Counter(f"{gap:.2f}" for gap in gaps).most_common(_NAMED_GAPS)
    return ", ".join(f"{gap} mm ({count}x)" for gap, count in kinds)


def _between(slices: Sequence[Slice], places: Points, before: Sequence[int] | npt.NDArray[np.intp]) -> str:
    """The slices on both sides of gaps, and where they lie along their normal."""

    def end(index: int) -> str:
        return f"{places[index]:.2f} mm ({PurePath(slices[index].file.name).name})"

    named = [f"between {end(index)} and {end(index + 1)}" for index in before[:_NAMED_GAPS]]
    return ", ".join([*named, *(["and more"] if len(before) > _NAMED_GAPS else [])])

"""One series out of the CT slices of a folder."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from transforms.dicom_headers import Scan, Slice
from transforms.errors import SeriesError

WHOLE_SHARE = 0.95
"""A series competes when it covers at least this share of the largest extent: the others are parts."""

EQUAL_GAP_MM = 0.05
"""Slice distances closer than this count as equal when series are compared."""

SHARP_KERNELS = frozenset({"LUNG", "BONE", "BONEPLUS", "EDGE", "DETAIL", "ULTRA", "FC51", "FC86"})
"""Reconstruction kernels without a number that are sharper than the standard one."""

MEDIUM_SHARPNESS = 45.0
"""Stands for kernels of unknown sharpness on the scale of the numbered ones (B10 very soft to B90 very sharp)."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One series with what decides between several."""

    uid: str
    slices: list[Slice]
    extent_mm: float
    """From the first slice to the last along their normal, one slice included; 0 where positions are missing."""
    gap_mm: float
    sharpness: float

    def __str__(self) -> str:
        return f"{self.uid or 'without UID'}: {len(self.slices)} slices over {self.extent_mm:.0f} mm"


def choose_series(found: Scan, where: str, series_uid: str | None = None) -> tuple[list[Slice], list[str]]:
    """The slices of one series, and sentences about what was passed over.

    A given UID decides. Else the rule: of the series that cover (nearly) the largest extent the one with the thinnest
    slices, then the softer kernel, then the most slices, then the first UID in the order of text.

    Raises:
        SeriesError: When there is no CT, or not the series asked for.
    """
    by_uid: dict[str, list[Slice]] = defaultdict(list)
    for one in found.slices:
        by_uid[one.series_uid].append(one)
    if not by_uid:
        raise SeriesError(
            "there is no CT series",
            where=where,
            found=_listed(found.passed_over) or "no files",
            expected="CT slices",
            remedy="Give the folder that holds them, or a volume file",
        )
    candidates = [_candidate(uid, slices) for uid, slices in sorted(by_uid.items())]
    chosen = _best(candidates) if series_uid is None else _named(candidates, where, series_uid)
    return chosen.slices, _said(chosen, candidates, found.passed_over)


def _named(candidates: Sequence[Candidate], where: str, series_uid: str) -> Candidate:
    for candidate in candidates:
        if candidate.uid == series_uid:
            return candidate
    raise SeriesError(
        f"there is no CT series {series_uid}",
        where=where,
        found="; ".join(map(str, candidates)),
        remedy="Name one of these with --series-uid",
    )


def _best(candidates: Sequence[Candidate]) -> Candidate:
    largest = max(candidate.extent_mm for candidate in candidates)
    whole = [candidate for candidate in candidates if candidate.extent_mm >= WHOLE_SHARE * largest]
    thinnest = min(candidate.gap_mm for candidate in whole)
    thin = [candidate for candidate in whole if candidate.gap_mm <= thinnest + EQUAL_GAP_MM]
    return min(thin, key=lambda one: (one.sharpness, -len(one.slices), one.uid))


def _candidate(uid: str, slices: list[Slice]) -> Candidate:
    places = _places(slices)
    span = float(np.ptp(places)) if len(places) else 0.0
    gap = span / (len(places) - 1) if len(places) > 1 else 0.0
    edge = gap or slices[0].thickness_mm or 0.0
    return Candidate(
        uid=uid,
        slices=slices,
        extent_mm=span + edge if len(places) else 0.0,
        gap_mm=edge,
        sharpness=_sharpness(slices[0].kernel),
    )


def _places(slices: Sequence[Slice]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Different positions along the normal of the first slice, millimetres."""
    orientation = slices[0].orientation
    positions = [one.position for one in slices if one.position is not None]
    if orientation is None or not positions:
        return np.empty(0)
    normal = np.cross(orientation[:3], orientation[3:])
    return np.unique(np.round(np.array(positions) @ normal, 3))


def _sharpness(kernel: str) -> float:
    """Of Siemens-like names by their number (B40f: 40), of others by a list; without a name, medium."""
    if kernel.strip().upper() in SHARP_KERNELS:
        return 70.0
    numbered = re.match(r"[A-Z][a-z]?(\d{2})[a-z]?$", kernel.strip())
    return float(numbered[1]) if numbered else MEDIUM_SHARPNESS


def _said(chosen: Candidate, candidates: Sequence[Candidate], passed_over: Counter[str]) -> list[str]:
    said = (
        [f"Files in the folder that are not CT slices were passed over: {_listed(passed_over)}."] if passed_over else []
    )
    others = [str(candidate) for candidate in candidates if candidate is not chosen]
    if others:
        said.append(f"Of {len(candidates)} CT series this was taken: {chosen}; not: {'; '.join(others)}.")
    return said


def _listed(passed_over: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(passed_over.items()))

"""One series out of the CT slices of a folder."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.dicom_headers import Scan, Slice
from transforms.errors import SeriesError
from transforms.reading.dicom.geometry import ORIENTATION_TOLERANCE
from transforms.reading.dicom.stacks import parts_of

WHOLE_SHARE = 0.95
"""A series competes when it covers at least this share of the largest extent: the others are parts."""

EQUAL_GAP_MM = 0.05
"""Slice distances closer than this count as equal when series are compared."""

SHARP_KERNELS = frozenset({"LUNG", "BONE", "BONEPLUS", "EDGE", "DETAIL", "ULTRA", "FC51", "FC86"})
"""Reconstruction kernels without a number that are sharper than the standard one."""

MEDIUM_SHARPNESS = 45.0
"""Stands for kernels of unknown sharpness on the scale of the numbered ones (B10 very soft to B90 very sharp)."""

_NAMED = 12
_Places = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One series, or one of the stacks in it, with what decides between several."""

    uid: str
    part: str
    """What tells the stack from others of its series, `AcquisitionNumber=2`; empty for a whole series."""
    slices: list[Slice]
    extent_mm: float
    """From the first slice to the last along their normal, one slice included; 0 where positions are missing."""
    gap_mm: float
    sharpness: float

    @property
    def name(self) -> str:
        """What `--series-uid` takes: the series UID, and the part where there are several."""
        return f"{self.uid}:{self.part}" if self.part else self.uid

    def __str__(self) -> str:
        count = f"{len(self.slices)} slice{'s' if len(self.slices) > 1 else ''}"
        return f"{self.name or 'without UID'}: {count} over {self.extent_mm:.0f} mm"


def choose_series(found: Scan, where: str, series_uid: str | None = None) -> tuple[list[Slice], list[str]]:
    """The slices of one stack, and sentences about what was passed over.

    A given UID, or `UID:PART`, decides. Else the rule: reformats in another plane than their original do not compete;
    of the series that cover (nearly) the largest extent the one with the thinnest slices, then the softer kernel, then
    the most slices, then the first UID in the order of text. Of the stacks in one series the rule takes one only where
    it covers all of them and is not merely the first of its equals.

    Raises:
        SeriesError: When there is no CT, not the series asked for, or no certain choice.
    """
    candidates = candidates_of(found)
    if not candidates:
        raise SeriesError(
            "there is no CT series",
            where=where,
            found=_listed(found.passed_over) or "no files",
            expected="CT slices",
            remedy="Give the folder that holds them, or a volume file",
        )
    chosen = _best(candidates if series_uid is None else _named(candidates, where, series_uid), where)
    return chosen.slices, _said(chosen, candidates, found.passed_over)


def candidates_of(found: Scan) -> list[Candidate]:
    """All that could be read: every series in the order of UIDs, in its parts where it holds several stacks."""
    by_uid: dict[str, list[Slice]] = defaultdict(list)
    for one in found.slices:
        by_uid[one.series_uid].append(one)
    return [_candidate(uid, part.name, part.slices) for uid in sorted(by_uid) for part in parts_of(by_uid[uid])]


def _named(candidates: Sequence[Candidate], where: str, series_uid: str) -> list[Candidate]:
    named = [one for one in candidates if series_uid == one.name]
    named = named or [one for one in candidates if series_uid == one.uid]
    if not named:
        raise SeriesError(
            f"there is no CT series {series_uid}",
            where=where,
            found=_some(candidates),
            remedy="Name one of these with --series-uid",
        )
    return named


def _best(candidates: Sequence[Candidate], where: str) -> Candidate:
    best = rounds(candidates)[-1].left[0]
    parts = [one for one in candidates if one.uid == best.uid]
    equals = [one for one in _thin(candidates) if one in parts and one.sharpness == best.sharpness]
    if len(equals) > 1 or not _covers(best, parts):
        raise _uncertain(parts, where)
    return best


class Round(NamedTuple):
    """One step of the rule that chooses."""

    loses: str
    """What those have that leave here: "covers less"."""
    left: list[Candidate]
    """Who stays."""


def rounds(candidates: Sequence[Candidate]) -> list[Round]:
    """How the rule of :func:`choose_series` comes to one candidate: the last round has one left."""
    thin = _thin(candidates)
    softest = min(one.sharpness for one in thin)
    soft = [one for one in thin if one.sharpness == softest]
    most = max(len(one.slices) for one in soft)
    full = [one for one in soft if len(one.slices) == most]
    return [
        Round("is a reformat in another plane", _competing(candidates)),
        Round("covers less", _whole(candidates)),
        Round("has thicker slices", thin),
        Round("has a sharper kernel", soft),
        Round("has fewer slices", full),
        Round("is the equal of the one taken, and comes later by its UID", [min(full, key=lambda one: one.uid)]),
    ]


def _competing(candidates: Sequence[Candidate]) -> list[Candidate]:
    return [one for one in candidates if not _is_reformat(one, candidates)]


def _whole(candidates: Sequence[Candidate]) -> list[Candidate]:
    competing = _competing(candidates)
    largest = max(one.extent_mm for one in competing)
    return [one for one in competing if one.extent_mm >= WHOLE_SHARE * largest]


def _thin(candidates: Sequence[Candidate]) -> list[Candidate]:
    whole = _whole(candidates)
    thinnest = min(one.gap_mm for one in whole)
    return [one for one in whole if one.gap_mm <= thinnest + EQUAL_GAP_MM]


def _covers(best: Candidate, parts: Sequence[Candidate]) -> bool:
    """Whether a stack reaches as far along its normal as all parallel stacks of its series together."""
    beside = [one for one in parts if one is not best and _cosine(one, best) > 1 - ORIENTATION_TOLERANCE]
    if not beside:
        return True
    places = np.concatenate([_places(one.slices, best.slices[0]) for one in (best, *beside)])
    return best.extent_mm - best.gap_mm >= WHOLE_SHARE * float(np.ptp(places))


def _uncertain(parts: Sequence[Candidate], where: str) -> SeriesError:
    return SeriesError(
        "one series UID holds several stacks, and nothing says which to read",
        where=where,
        found=_some(parts),
        expected="one stack, or one that covers all and is the thinnest or softest",
        remedy=f"Name one with its part, as in --series-uid {parts[0].name}",
    )


def _is_reformat(one: Candidate, candidates: Sequence[Candidate]) -> bool:
    """Whether a stack is a derived view in another plane than an original that is there too."""
    return _is_derived(one) and any(
        not _is_derived(other) and 0 <= _cosine(one, other) < 1 - ORIENTATION_TOLERANCE and len(other.slices) > 1
        for other in candidates
    )


def _is_derived(one: Candidate) -> bool:
    return one.slices[0].image_type.startswith("DERIVED")


def _cosine(first: Candidate, second: Candidate) -> float:
    """Between the normals of two stacks, 0..1; negative where a header does not say how its slices lie."""
    normals = [_normal(one.slices[0]) for one in (first, second)]
    return -1.0 if normals[0] is None or normals[1] is None else float(abs(normals[0] @ normals[1]))


def _candidate(uid: str, part: str, slices: list[Slice]) -> Candidate:
    places = np.unique(np.round(_places(slices, slices[0]), 3))
    span = float(np.ptp(places)) if len(places) else 0.0
    gap = span / (len(places) - 1) if len(places) > 1 else 0.0
    edge = gap or slices[0].thickness_mm or 0.0
    return Candidate(
        uid=uid,
        part=part,
        slices=slices,
        extent_mm=span + edge if len(places) else 0.0,
        gap_mm=edge,
        sharpness=_sharpness(slices[0].kernel),
    )


def _places(slices: Sequence[Slice], reference: Slice) -> _Places:
    """Positions along the normal of a slice, millimetres; none where its header does not say how it lies."""
    normal = _normal(reference)
    positions = [one.position for one in slices if one.position is not None]
    return np.empty(0) if normal is None or not positions else np.array(positions) @ normal


def _normal(one: Slice) -> _Places | None:
    return None if one.orientation is None else np.cross(one.orientation[:3], one.orientation[3:])


def _sharpness(kernel: str) -> float:
    """Of Siemens-like names by their number (B40f: 40), of others by a list; without a name, medium."""
    name = kernel.split("/")[0].strip()
    if name.upper() in SHARP_KERNELS:
        return 70.0
    numbered = re.match(r"[A-Z][a-z]?(\d{2})[a-z]?$", name)
    return float(numbered[1]) if numbered else MEDIUM_SHARPNESS


def _said(chosen: Candidate, candidates: Sequence[Candidate], passed_over: Counter[str]) -> list[str]:
    said = (
        [f"Files in the folder that are not CT slices were passed over: {_listed(passed_over)}."] if passed_over else []
    )
    others = [candidate for candidate in candidates if candidate is not chosen]
    if others:
        said.append(f"Of {len(candidates)} CT series this was taken: {chosen}; not: {_some(others)}.")
    return said


def _some(candidates: Sequence[Candidate]) -> str:
    more = [f"and {len(candidates) - _NAMED} more"] if len(candidates) > _NAMED else []
    return "; ".join([*map(str, candidates[:_NAMED]), *more])


def _listed(passed_over: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(passed_over.items()))

"""Several stacks under one series UID, told apart by what their headers say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np

from transforms.dicom_headers import Slice
from transforms.errors import GeometryError
from transforms.reading.dicom.geometry import SAME_PLACE_MM, Points, places_mm, shared_frame
from transforms.reading.dicom.spacing import is_even

SEPARATORS: dict[str, Callable[[Slice], str]] = {
    "StackID": lambda one: one.stack_id,
    "TemporalPosition": lambda one: one.temporal_position,
    "AcquisitionNumber": lambda one: one.acquisition,
    "ImageType": lambda one: one.image_type,
    "ConvolutionKernel": lambda one: one.kernel,
    "KVP": lambda one: f"{one.kilovolts:g}" if one.kilovolts else "",
}
"""The header values that may tell stacks apart, in the order in which they are tried."""


class Part(NamedTuple):
    """Some slices of a series that make one stack; all of them under the name ``""``."""

    name: str
    slices: list[Slice]


def parts_of(slices: list[Slice]) -> list[Part]:
    """The stacks of one series.

    A series whose slices share their axes, and lie at one place only where they are copies, is one stack; except where
    they are uneven, and a header value splits them into even stacks that lie between each other. Any other series must
    be split by one header value, or two together, into such stacks; of several ways the one with the fewest. Where no
    value does, the series stays whole: reading it says what is wrong with it.

    Returns:
        Parts named by the values that separate them, as in `AcquisitionNumber=2`, in the order of those.
    """
    if _is_one_stack(slices):
        return _interleaved(slices) or [Part("", slices)]
    for together in (1, 2):
        ways = [parts for keys in combinations(SEPARATORS, together) if (parts := _split(slices, keys))]
        if ways:
            return min(ways, key=len)
    return [Part("", slices)]


def _split(slices: Sequence[Slice], keys: Sequence[str]) -> list[Part] | None:
    """By the values of all keys; `None` where one is missing or the same in all slices, or parts are no stacks."""
    parts: dict[tuple[str, ...], list[Slice]] = defaultdict(list)
    for one in slices:
        parts[tuple(SEPARATORS[key](one) for key in keys)].append(one)
    if any(len(set(values)) == 1 or "" in values for values in zip(*parts, strict=True)):
        return None
    if max(map(len, parts.values())) < 2 or not all(map(_is_one_stack, parts.values())):
        return None
    ordered = sorted(parts, key=lambda values: [_number_first(value) for value in values])
    return [
        Part(",".join(f"{key}={value}" for key, value in zip(keys, values, strict=True)), parts[values])
        for values in ordered
    ]


def _is_one_stack(slices: Sequence[Slice]) -> bool:
    try:
        frame = shared_frame(slices, "")
    except GeometryError:
        return False
    places = places_mm(slices, frame)
    return all(
        places[after] - places[before] > SAME_PLACE_MM or _same(slices[before], slices[after])
        for before, after in pairwise(np.argsort(places, kind="stable"))
    )


def _interleaved(slices: Sequence[Slice]) -> list[Part] | None:
    """Even stacks that lie between each other and together are uneven."""
    if is_even(_rising(slices, slices)):
        return None
    for key in SEPARATORS:
        parts = _split(slices, [key]) or []
        places = sorted((_rising(part.slices, slices) for part in parts), key=lambda some: float(some[0]))
        between = any(after[0] < before[-1] for before, after in pairwise(places))
        if between and all(map(is_even, places)):
            return parts
    return None


def _rising(slices: Sequence[Slice], series: Sequence[Slice]) -> Points:
    """Different places along the normal of the series, in rising order."""
    places = np.sort(places_mm(slices, shared_frame(series, "")))
    return places[np.diff(places, prepend=-np.inf) > SAME_PLACE_MM]


def _same(first: Slice, second: Slice) -> bool:
    return (first.sop_uid, first.frame) == (second.sop_uid, second.frame)


def _number_first(value: str) -> tuple[int, str]:
    return (int(value), "") if value.isdecimal() else (1 << 31, value)

"""Slices that are there twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from transforms.dicom_headers import Slice
from transforms.errors import GeometryError
from transforms.reading.dicom.geometry import SAME_PLACE_MM, Frame, places_mm
from transforms.reading.dicom_pixels import hounsfield


def sorted_without_copies(slices: Sequence[Slice], frame: Frame, where: str) -> tuple[list[Slice], tuple[str, ...]]:
    """The slices along their normal, each place once, and what was dropped.

    A copy has the place and the pixels of another slice. The pixels are compared even where the SOPInstanceUID is the
    same: careless software gives one UID to different slices.

    Raises:
        GeometryError: When slices at one place differ.
    """
    order = sorted(zip(places_mm(slices, frame), slices, strict=True), key=lambda item: (item[0], item[1].file.name))
    kept: list[tuple[float, Slice]] = []
    for place, one in order:
        if kept and place - kept[-1][0] <= SAME_PLACE_MM:
            _check_copy(kept[-1][1], one, where)
        else:
            kept.append((place, one))
    dropped = len(slices) - len(kept)
    said = (f"{dropped} exact copies of slices were dropped.",) if dropped else ()
    return [one for _, one in kept], said


def _check_copy(first: Slice, second: Slice, where: str) -> None:
    if _beside_mm(first, second) <= SAME_PLACE_MM and np.array_equal(hounsfield(first), hounsfield(second)):
        return
    raise GeometryError(
        "two different slices lie at one place",
        where=where,
        found=f"{first.file.name} and {second.file.name}",
        expected="one slice a place",
        remedy="Move the slices of each acquisition or time point to a folder of their own",
    )


def _beside_mm(first: Slice, second: Slice) -> float:
    return float(np.abs(np.subtract(first.position or (), second.position or ())).max())

"""Where the slices of a series lie: distances, gaps, tilt. Said, not judged: that is the reader's part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.inspection.orientation import oblique_degrees, plane_of
from pipeline.inspection.results import Gap
from transforms.dicom_headers import Slice
from transforms.reading.dicom.geometry import SAME_PLACE_MM
from transforms.reading.dicom.spacing import EVEN_TOLERANCE_MM
from transforms.reading.dicom.tilt import TILT_TOLERANCE_MM

_Points = npt.NDArray[np.float64]


class Placement(NamedTuple):
    """The place of slices, by the orientation of the first."""

    plane: str | None = None
    oblique_degrees: float | None = None
    tilt_degrees: float | None = None
    spacing_mm: float | None = None
    gaps: tuple[Gap, ...] = ()
    duplicates: int = 0


def placement_of(slices: Sequence[Slice]) -> Placement:
    """The place of slices; nothing of it where the first has no orientation, and the less the fewer have positions."""
    orientation = slices[0].orientation
    if orientation is None:
        return Placement()
    axes = np.array(orientation, dtype=np.float64).reshape(2, 3).T
    normal = np.cross(axes[:, 0], axes[:, 1])
    length = float(np.linalg.norm(normal))
    if length == 0 or not np.linalg.norm(axes, axis=0).all():
        return Placement()
    plane, oblique = plane_of(normal), oblique_degrees(axes)
    positions = np.array([one.position for one in slices if one.position is not None], dtype=np.float64)
    if len(positions) < 2:
        return Placement(plane, oblique)
    places = np.sort(positions @ (normal / length))
    kept = places[np.r_[True, np.diff(places) > SAME_PLACE_MM]]
    spacing, gaps = _distances(kept)
    return Placement(plane, oblique, _tilt(positions, normal / length), spacing, gaps, len(places) - len(kept))


def _distances(places: _Points) -> tuple[float | None, tuple[Gap, ...]]:
    """The usual distance of neighbouring slices, and those at another."""
    if len(places) < 2:
        return None, ()
    widths = np.diff(places)
    usual = float(np.median(widths))
    odd = np.flatnonzero(np.abs(widths - usual) > 2 * EVEN_TOLERANCE_MM)
    gaps = (
        Gap(start_mm=_rounded(places[at]), end_mm=_rounded(places[at + 1]), width_mm=_rounded(widths[at])) for at in odd
    )
    return _rounded(usual), tuple(gaps)


def _tilt(positions: _Points, normal: _Points) -> float:
    """The angle between the normal and the way from slice to slice, degrees."""
    offsets = positions - positions[0]
    along = offsets @ normal
    sideways = offsets - along[:, None] * normal
    if np.linalg.norm(sideways, axis=1).max() <= TILT_TOLERANCE_MM or not along.any():
        return 0.0
    slope = along @ sideways / (along @ along)
    return round(float(np.degrees(np.arctan(np.linalg.norm(slope)))), 2)


def _rounded(length: float) -> float:
    return round(float(length), 3)

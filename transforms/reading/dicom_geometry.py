"""Where DICOM slices lie: sorted along their normal, and refused where that is no even stack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.dicom_headers import Slice
from transforms.errors import GeometryError
from transforms.reading.affines import PERPENDICULAR_TOLERANCE, check_affine
from transforms.reading.volume import Affine

ORIENTATION_TOLERANCE = 1e-4
"""Largest difference between the direction cosines of two slices: 0.05 mm over 500 mm."""

PIXEL_SPACING_TOLERANCE = 1e-4
"""Largest difference between the pixel spacings of two slices, millimetres: 0.05 mm over 512 pixels."""

SAME_PLACE_MM = 0.01
"""Slices closer than this along the normal lie at one place."""

EVEN_TOLERANCE_MM = 0.05
"""How far a slice may lie from its place on the even grid between the first and the last: header rounding."""

TILT_TOLERANCE_MM = 0.1
"""How far slices may be shifted sideways against the first; more is gantry tilt or a moved table."""

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_Points = npt.NDArray[np.float64]


class Frame(NamedTuple):
    """The axes that all slices of a series share, LPS."""

    row: _Points
    """`(3,)` unit vector along a row: the way of the first voxel index."""
    column: _Points
    """`(3,)` unit vector along a column: the way of the second voxel index."""
    spacing_mm: tuple[float, float]
    """Between voxels along the first and the second index."""

    @property
    def normal(self) -> _Points:
        """`(3,)` unit vector of the third voxel index."""
        return np.cross(self.row, self.column)


def shared_frame(slices: Sequence[Slice], where: str) -> Frame:
    """The axes of a series.

    Raises:
        GeometryError: When a slice lacks position, orientation or spacing, or slices differ in size, orientation or
            spacing.
    """
    first = slices[0]
    for one in slices:
        _check_complete(one)
        if (one.rows, one.columns) != (first.rows, first.columns):
            raise _differ(one, "Rows x Columns", f"{one.rows} x {one.columns}", f"{first.rows} x {first.columns}")
        if _apart(one.orientation, first.orientation) > ORIENTATION_TOLERANCE:
            raise _differ(one, "ImageOrientationPatient", _text(one.orientation), _text(first.orientation))
        if _apart(one.pixel_spacing, first.pixel_spacing) > PIXEL_SPACING_TOLERANCE:
            raise _differ(one, "PixelSpacing", _text(one.pixel_spacing), _text(first.pixel_spacing))
    axes = np.array(first.orientation, dtype=np.float64).reshape(2, 3)
    lengths = np.linalg.norm(axes, axis=1)
    if np.abs(lengths - 1).max() > PERPENDICULAR_TOLERANCE or abs(axes[0] @ axes[1]) > PERPENDICULAR_TOLERANCE:
        raise GeometryError(
            "ImageOrientationPatient is not two perpendicular unit vectors",
            where=first.file.name,
            found=_text(first.orientation),
            remedy="Export the series again from the scanner or archive",
        )
    rows, columns = first.pixel_spacing or (0.0, 0.0)
    return Frame(axes[0] / lengths[0], axes[1] / lengths[1], (columns, rows))


def places_mm(slices: Sequence[Slice], frame: Frame) -> _Points:
    """`(N,)` positions along the normal."""
    return np.array([one.position for one in slices], dtype=np.float64) @ frame.normal


def stack_affine(slices: Sequence[Slice], frame: Frame, where: str) -> tuple[Affine, tuple[str, ...]]:
    """The affine (RAS+, millimetres) of slices in the order of :func:`places_mm`, and what had to be assumed.

    Raises:
        GeometryError: When the slices are no even, straight stack, or one slice has no thickness.
    """
    places = places_mm(slices, frame)
    if len(slices) == 1:
        step, said = _one_slice(slices[0], where)
    else:
        _check_even(slices, places, where)
        _check_straight(slices, frame, where)
        step, said = float(places[-1] - places[0]) / (len(slices) - 1), ()
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1] = frame.row * frame.spacing_mm[0], frame.column * frame.spacing_mm[1]
    lps[:3, 2], lps[:3, 3] = frame.normal * step, slices[0].position
    affine = _LPS_TO_RAS @ lps
    check_affine(affine, where)
    return affine, said


def _check_even(slices: Sequence[Slice], places: _Points, where: str) -> None:
    even = np.linspace(places[0], places[-1], len(places))
    if np.abs(places - even).max() <= EVEN_TOLERANCE_MM:
        return
    gaps = np.diff(places)
    usual = float(np.median(gaps))
    multiples = np.rint(gaps / usual).astype(int)
    whole = np.abs(gaps - multiples * usual).max() <= 2 * EVEN_TOLERANCE_MM
    widest = int(gaps.argmax())
    between = f"between {PurePath(slices[widest].file.name).name} and {PurePath(slices[widest + 1].file.name).name}"
    kinds = Counter(f"{gap:.2f}" for gap in gaps).most_common(4)
    raise GeometryError(
        f"{(multiples - 1).sum()} slice(s) seem to be missing" if whole else "the slices are not evenly spaced",
        where=where,
        found=f"gaps of {', '.join(f'{gap} mm ({count}x)' for gap, count in kinds)}; the widest {between}",
        expected=f"every slice within {EVEN_TOLERANCE_MM} mm of an even grid",
        remedy="Transfer the series again, or choose another with --series-uid",
    )


def _check_straight(slices: Sequence[Slice], frame: Frame, where: str) -> None:
    offsets = np.array([one.position for one in slices], dtype=np.float64) - np.array(slices[0].position)
    along = offsets @ frame.normal
    sideways = np.linalg.norm(offsets - along[:, None] * frame.normal, axis=1)
    worst = int(sideways.argmax())
    if sideways[worst] > TILT_TOLERANCE_MM:
        angle = np.degrees(np.arctan2(sideways[worst], abs(along[worst])))
        raise GeometryError(
            "the slices are shifted sideways (gantry tilt)",
            where=where,
            found=f"{sideways[worst]:.2f} mm over {abs(along[worst]):.1f} mm, {angle:.1f} degrees",
            expected=f"at most {TILT_TOLERANCE_MM} mm",
            remedy="Give a series that was reconstructed without tilt",
        )


def _one_slice(one: Slice, where: str) -> tuple[float, tuple[str, ...]]:
    if not one.thickness_mm or one.thickness_mm < 0:
        raise GeometryError(
            "there is one slice, and nothing says how thick it is",
            where=where,
            found="no SliceThickness",
            expected="two slices or more",
            remedy="Give the whole series",
        )
    return one.thickness_mm, (
        f"There is one slice only: its thickness of {one.thickness_mm:g} mm is taken as spacing.",
    )


def _check_complete(one: Slice) -> None:
    needed = {
        "ImagePositionPatient": one.position,
        "ImageOrientationPatient": one.orientation,
        "PixelSpacing": one.pixel_spacing,
    }
    missing = [tag for tag, value in needed.items() if value is None]
    if missing:
        raise GeometryError(
            "the header does not say where the slice lies",
            where=one.file.name,
            found=f"{', '.join(missing)} missing or malformed",
            remedy="Export the series again from the scanner or archive",
        )


def _apart(first: Sequence[float] | None, second: Sequence[float] | None) -> float:
    return float(np.abs(np.subtract(first or (), second or ())).max())


def _text(numbers: Sequence[float] | None) -> str:
    return " ".join(f"{number:g}" for number in numbers or ())


def _differ(one: Slice, tag: str, found: str, expected: str) -> GeometryError:
    return GeometryError(
        f"the slices of one series differ in {tag}",
        where=one.file.name,
        found=found,
        expected=f"{expected}, as in the first slice",
        remedy="Move the slices of each stack to a folder of their own",
    )

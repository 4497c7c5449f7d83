"""The axes that DICOM slices share, and where along their normal they lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.dicom_headers import Slice
from transforms.errors import GeometryError
from transforms.reading.affines import PERPENDICULAR_TOLERANCE

ORIENTATION_TOLERANCE = 1e-4
"""Largest difference between the direction cosines of two slices: 0.05 mm over 500 mm."""

ORIENTATION_ROUNDING = 1e-5
"""Axes that are so close to perpendicular unit vectors were only rounded to five digits: that is not worth a word."""

PIXEL_SPACING_TOLERANCE = 1e-4
"""Largest difference between the pixel spacings of two slices, millimetres: 0.05 mm over 512 pixels."""

SAME_PLACE_MM = 0.01
"""Slices closer than this along the normal lie at one place."""

Points = npt.NDArray[np.float64]


class Frame(NamedTuple):
    """The axes that all slices of a series share, LPS."""

    row: Points
    """`(3,)` unit vector along a row: the way of the first voxel index."""
    column: Points
    """`(3,)` unit vector along a column, perpendicular to the row: the way of the second voxel index."""
    spacing_mm: tuple[float, float]
    """Between voxels along the first and the second index."""
    repairs: tuple[str, ...] = ()
    """What was put right, as short sentences."""

    @property
    def normal(self) -> Points:
        """`(3,)` unit vector of the third voxel index."""
        return np.cross(self.row, self.column)


def shared_frame(slices: Sequence[Slice], where: str) -> Frame:
    """The axes of a series.

    Raises:
        GeometryError: When a slice lacks position, orientation or spacing, slices differ in size, orientation, spacing
            or frame of reference, or their axes are not perpendicular within :data:`PERPENDICULAR_TOLERANCE`.
    """
    first = slices[0]
    for one in slices:
        _check_complete(one)
    orientations = np.array([one.orientation for one in slices], dtype=np.float64)
    spacings = np.array([one.pixel_spacing for one in slices], dtype=np.float64)
    turned = np.abs(orientations - orientations[0]).max(axis=1) > ORIENTATION_TOLERANCE
    scaled = np.abs(spacings - spacings[0]).max(axis=1) > PIXEL_SPACING_TOLERANCE
    for index, one in enumerate(slices):
        if (one.rows, one.columns) != (first.rows, first.columns):
            raise _differ(one, "Rows x Columns", f"{one.rows} x {one.columns}", f"{first.rows} x {first.columns}")
        if turned[index]:
            raise _differ(one, "ImageOrientationPatient", _text(one.orientation), _text(first.orientation))
        if scaled[index]:
            raise _differ(one, "PixelSpacing", _text(one.pixel_spacing), _text(first.pixel_spacing))
        for tag in ("frame_of_reference_uid", "study_uid"):
            own, other = getattr(one, tag), getattr(first, tag)
            if own != other:
                raise _differ(one, _TAGS[tag], own or "none", other or "none")
    row, column, repairs = _perpendicular(orientations[0].reshape(2, 3), first)
    return Frame(row, column, (float(spacings[0, 1]), float(spacings[0, 0])), repairs)


_TAGS = {"frame_of_reference_uid": "FrameOfReferenceUID", "study_uid": "StudyInstanceUID"}


def places_mm(slices: Sequence[Slice], frame: Frame) -> Points:
    """`(N,)` positions along the normal."""
    return np.array([one.position for one in slices], dtype=np.float64) @ frame.normal


def _perpendicular(axes: Points, first: Slice) -> tuple[Points, Points, tuple[str, ...]]:
    """The perpendicular unit vectors that are nearest to two axes, `(2, 3)`, and what was put right."""
    off = float(np.abs(axes @ axes.T - np.eye(2)).max())
    lengths = np.linalg.norm(axes, axis=1)
    cosine = float(axes[0] @ axes[1]) / float(lengths.prod() or 1.0)
    if np.abs(lengths - 1).max() > PERPENDICULAR_TOLERANCE or abs(cosine) > PERPENDICULAR_TOLERANCE:
        raise GeometryError(
            "ImageOrientationPatient is not two perpendicular unit vectors",
            where=first.file.name,
            found=f"{_text(first.orientation)}, off by {off:.2g}",
            expected=f"at most {PERPENDICULAR_TOLERANCE:g}",
            remedy="Export the series again from the scanner or archive",
        )
    left, _, right = np.linalg.svd(axes, full_matrices=False)
    row, column = left @ right
    said = f"ImageOrientationPatient was off by {off:.1g}: its axes were made perpendicular unit vectors."
    return row, column, (said,) if off > ORIENTATION_ROUNDING else ()


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

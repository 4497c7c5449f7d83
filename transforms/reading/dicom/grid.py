"""The grid of a volume: that of its slices, or on request the even, straight one nearest to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from transforms.dicom_headers import Slice
from transforms.errors import GeometryError
from transforms.reading.affines import check_affine
from transforms.reading.dicom.geometry import Frame, places_mm
from transforms.reading.dicom.spacing import Planes, planes_of
from transforms.reading.dicom.tilt import Shear, shear_of, tilt_doubt
from transforms.reading.volume import Affine

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


class Grid(NamedTuple):
    """Where the voxels of a series lie, and how slices that lie elsewhere come there."""

    affine: Affine
    """`(4, 4)`, from voxel indices to RAS+ millimetres."""
    planes: Planes | None
    """How planes are interpolated between slices; `None` where the slices are the planes."""
    shear: Shear | None
    """How slices are shifted in their plane; `None` where they lie straight."""
    repairs: tuple[str, ...]

    @property
    def resampled(self) -> tuple[str, ...]:
        """The allowances that were made use of: `tilt`, `uneven`."""
        return (*(("tilt",) if self.shear else ()), *(("uneven",) if self.planes else ()))


def grid_of(slices: Sequence[Slice], frame: Frame, where: str, allow: frozenset[str] = frozenset()) -> Grid:
    """The grid of slices in the order of :func:`places_mm`.

    Args:
        slices: Without copies.
        frame: Their axes.
        where: What the user gave, for messages.
        allow: `uneven` and `tilt` let those be resampled; see :data:`ALLOWANCES`.

    Raises:
        GeometryError: When the slices are no even, straight stack and may not be resampled, or one slice has no
            thickness.
    """
    if len(slices) == 1:
        step, said = _one_slice(slices[0], where)
        return Grid(_affine(slices[0], frame, step, None, where), None, None, (*frame.repairs, *said))
    planes = planes_of(slices, places_mm(slices, frame), where, interpolate="uneven" in allow)
    shear = shear_of(slices, frame, where, correct="tilt" in allow)
    return Grid(
        affine=_affine(slices[0], frame, planes.step_mm, shear, where),
        planes=planes if planes.repairs else None,
        shear=shear,
        repairs=(*frame.repairs, *tilt_doubt(slices, frame), *planes.repairs, *(shear.repairs if shear else ())),
    )


def _affine(first: Slice, frame: Frame, step: float, shear: Shear | None, where: str) -> Affine:
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1] = frame.row * frame.spacing_mm[0], frame.column * frame.spacing_mm[1]
    lps[:3, 2], lps[:3, 3] = frame.normal * step, first.position
    if shear:
        lps[:3, 3] -= lps[:3, :2] @ shear.margin[:, 0]
    affine = _LPS_TO_RAS @ lps
    check_affine(affine, where)
    return affine


def _one_slice(one: Slice, where: str) -> tuple[float, tuple[str, ...]]:
    if not one.thickness_mm or one.thickness_mm < 0:
        raise GeometryError(
            "there is one slice, and nothing says how thick it is",
            where=where,
            found="neither SliceThickness nor SpacingBetweenSlices",
            expected="two slices or more",
            remedy="Give the whole series",
        )
    return one.thickness_mm, (
        f"There is one slice only: its thickness of {one.thickness_mm:g} mm is taken as spacing.",
    )

"""Slices that are shifted against each other in their plane: gantry tilt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.dicom_headers import Slice
from transforms.errors import GeometryError
from transforms.reading.dicom.geometry import Frame, Points

TILT_TOLERANCE_MM = 0.1
"""How far slices may be shifted sideways against the first; more is gantry tilt or a moved table."""

MAX_TILT_DEGREES = 35.0
"""Gantries tilt by 30 degrees at most: what is sheared further is no tilted acquisition."""

TILT_AGREEMENT_DEGREES = 1.0
"""GantryDetectorTilt and the positions of the slices may differ by this before it is said."""

_SHIFT_DIGITS = 4  # of a voxel: rounding noise must not turn a whole shift into one beyond the edge


class Shear(NamedTuple):
    """How far the content of `N` slices lies from that of the first, in voxels along the first and second index."""

    shifts: Points
    """`(N, 2)`."""
    repairs: tuple[str, ...]

    @property
    def margin(self) -> npt.NDArray[np.intp]:
        """`(2, 2)` whole voxels that a box around all slices needs before and after the first one's, for each index."""
        return np.array([np.ceil(-self.shifts.min(axis=0)), np.ceil(self.shifts.max(axis=0))]).T.astype(np.intp)


def shear_of(slices: Sequence[Slice], frame: Frame, where: str, *, correct: bool) -> Shear | None:
    """How tilted slices are shifted, in the order of their places; `None` where they lie straight.

    Raises:
        GeometryError: When they are shifted and that is not to be corrected, or not as a tilted gantry does it: in
            proportion to their distance, by at most :data:`MAX_TILT_DEGREES`.
    """
    offsets = np.array([one.position for one in slices], dtype=np.float64) - np.array(slices[0].position)
    along = offsets @ frame.normal
    sideways = np.c_[offsets @ frame.row, offsets @ frame.column]
    lengths = np.linalg.norm(sideways, axis=1)
    if lengths.max() <= TILT_TOLERANCE_MM:
        return None
    worst = int(lengths.argmax())
    degrees = float(np.degrees(np.arctan2(lengths[worst], abs(along[worst]))))
    slope = along @ sideways / (along @ along)
    proportional = bool(np.linalg.norm(sideways - along[:, None] * slope, axis=1).max() <= TILT_TOLERANCE_MM)
    if not (correct and proportional and degrees <= MAX_TILT_DEGREES):
        found = f"{lengths[worst]:.2f} mm over {abs(along[worst]):.1f} mm, {degrees:.1f} degrees"
        raise _refusal(where, found, tilted=proportional and degrees <= MAX_TILT_DEGREES)
    shear = Shear(np.round(sideways / frame.spacing_mm, _SHIFT_DIGITS), ())
    before, after = shear.margin.T
    return shear._replace(repairs=(
        f"The gantry was tilted by {degrees:.1f} degrees: each slice was shifted in its plane to make the volume "
        f"straight, which widened it by {before[0] + after[0]} x {before[1] + after[1]} voxels.",
    ))  # fmt: skip


def tilt_doubt(slices: Sequence[Slice], frame: Frame) -> tuple[str, ...]:
    """What is to be said where GantryDetectorTilt and the positions of two or more slices contradict each other."""
    said = next((one.tilt_degrees for one in slices if one.tilt_degrees), 0.0)
    offset = np.subtract(slices[-1].position or (), slices[0].position or ())
    along = float(offset @ frame.normal)
    seen = float(np.degrees(np.arccos(min(abs(along) / float(np.linalg.norm(offset)), 1.0))))
    if not said or abs(abs(said) - seen) <= TILT_AGREEMENT_DEGREES:
        return ()
    return (f"GantryDetectorTilt says {said:g} degrees, the positions of the slices {seen:.1f}: these were taken.",)


def _refusal(where: str, found: str, *, tilted: bool) -> GeometryError:
    straight = "Give a series that was reconstructed without tilt"
    return GeometryError(
        f"the slices are shifted sideways ({'gantry tilt' if tilted else 'not as a tilted gantry does it'})",
        where=where,
        found=found,
        expected=f"at most {TILT_TOLERANCE_MM} mm",
        remedy=f"{straight}, or pass --allow tilt to correct it" if tilted else straight,
    )

"""Stored values to Hounsfield units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.dicom_headers import Slice
from transforms.errors import IntensityError
from transforms.reading.voxels import INT16

NOT_HU_TYPES = frozenset({"OD", "MGML", "Z_EFF", "ED", "EDW", "PCT"})
"""Values of RescaleType that stand for densities, concentrations and the like."""

_CELL = 0xFFFF


def with_rescale(slices: Sequence[Slice], allow: frozenset[str]) -> tuple[str, ...]:
    """Checks that stored values can be turned into HU; returns what is to be said where `not-hu` is allowed.

    MONOCHROME1 is refused too. By the standard it concerns the display alone, but readers and writers differ: some
    invert the values.

    Raises:
        IntensityError: When RescaleSlope or RescaleIntercept is missing, the slope is 0, or the header speaks of a
            lookup table, of other units or of another photometric interpretation than MONOCHROME2.
    """
    doubtful = [(one, why) for one in slices if (why := _why_not_hu(one))]
    if not doubtful:
        return ()
    first, (found, expected) = doubtful[0]
    if "not-hu" in allow:
        return (
            f"The values of {len(doubtful)} slices may be no Hounsfield units ({found}): they are as stored, "
            "by slope and intercept where there are both.",
        )
    raise IntensityError(
        "stored values cannot be turned into Hounsfield units",
        where=first.file.name,
        found=found,
        expected=expected,
        remedy="Export the series again from the scanner or archive, or pass --allow not-hu",
    )


def is_whole(one: Slice) -> bool:
    """Whether HU are integers wherever stored values are."""
    slope, intercept = _rescale(one)
    return slope.is_integer() and intercept.is_integer()


def to_int16(values: npt.NDArray[Any], one: Slice, target: npt.NDArray[np.int16]) -> bool:
    """Writes the HU of integers, which may be the target's own memory; returns whether they fit.

    Nothing wider than 16 bits is made of the slice: where first and last HU fit, arithmetic modulo 2^16 is exact.
    """
    slope, intercept = map(int, _rescale(one))
    ends = [int(end) * slope + intercept for end in (values.min(), values.max())]
    if min(ends) < INT16.min or max(ends) > INT16.max:
        return False
    cells = target.view(np.uint16)
    stored = values.view(np.uint16) if values.dtype.itemsize == 2 else values.astype(np.uint16)
    if slope != 1:
        stored = np.multiply(stored, np.uint16(slope & _CELL), out=cells)
    np.add(stored, np.uint16(intercept & _CELL), out=cells)
    return True


def to_float(values: npt.NDArray[Any], one: Slice, target: npt.NDArray[Any]) -> bool:
    """Writes the HU of a slice, computed in double precision; they always fit."""
    slope, intercept = _rescale(one)
    target[...] = values * np.float64(slope) + np.float64(intercept)
    return True


def _rescale(one: Slice) -> tuple[float, float]:
    if not one.slope or one.intercept is None:
        return 1.0, 0.0
    return one.slope, one.intercept


def _why_not_hu(one: Slice) -> tuple[str, str] | None:
    """What was found and what is expected, or `None` where nothing speaks against HU."""
    if not one.slope or one.intercept is None:
        return f"RescaleSlope {one.slope}, RescaleIntercept {one.intercept}", "both, and a slope that is not 0"
    if one.pixels.has_modality_lut:
        return "a ModalityLUTSequence", "RescaleSlope and RescaleIntercept alone"
    if one.rescale_type in NOT_HU_TYPES:
        return f"RescaleType {one.rescale_type}", "HU"
    if one.pixels.photometric != "MONOCHROME2":
        return f"PhotometricInterpretation {one.pixels.photometric or 'missing'}", "MONOCHROME2"
    return None

"""Voxel values: their type, and whether they can be Hounsfield units."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.errors import IntensityError, UnreadableError
from transforms.reading.volume import Voxels

GREY_IMAGE_MAX = 255.0
"""A volume wholly within 0 to this is an 8-bit picture or a normalised image: any CT has noise below water."""

INT16 = np.iinfo(np.int16)


def to_target(array: npt.NDArray[Any], *, smallest: bool) -> Voxels:
    """Converts values of any real type to `float32`, or to the smallest lossless of `int16` and `float32`.

    Args:
        array: `(X, Y, Z)`, preferably with the last axis outermost in memory.
        smallest: Take `int16` where all values are integers that fit.

    Returns:
        The array itself where its type is right already.
    """
    if not smallest:
        return array.astype(np.float32, copy=False)
    if _fits_int16(array):
        return array.astype(np.int16, copy=False)
    return array.astype(np.float32, copy=False)


def check_real(dtype: np.dtype[Any], where: str | PathLike[str]) -> None:
    """Refuses colour, complex and other types that hold no HU.

    Raises:
        UnreadableError: For a type that is neither integer nor floating point.
    """
    if dtype.kind not in "iuf":
        raise UnreadableError(
            "the voxels are not numbers on one scale",
            where=where,
            found=f"type {dtype}",
            expected="integers or floating point",
            remedy="Store the volume as int16 or float32 Hounsfield units",
        )


def check_hounsfield(array: Voxels, where: str | PathLike[str], allow: frozenset[str]) -> None:
    """Refuses what is certainly not HU; no float copy of the volume is made.

    Raises:
        IntensityError: For NaN or infinite values; for values all within 0..255 unless `not-hu` is allowed.
    """
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise IntensityError(
            "the volume holds values that are not numbers",
            where=where,
            found="NaN" if np.isnan(low) or np.isnan(high) else "infinity",
            expected="finite Hounsfield units",
            remedy="Replace them, for example by -1024 where nothing was measured",
        )
    if low >= 0 and high <= GREY_IMAGE_MAX and "not-hu" not in allow:
        raise IntensityError(
            "the values are not Hounsfield units",
            where=where,
            found=f"{low:g} to {high:g}",
            expected="air near -1000, fat near -100, water near 0",
            remedy="Give the CT before it was windowed or normalised, or pass --allow not-hu",
        )


def slices_of(array: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """The array's pieces along its last axis: what is computed for one at a time needs no copy of the whole."""
    return (array[..., index] for index in range(array.shape[-1]))


def _fits_int16(array: npt.NDArray[Any]) -> bool:
    if array.dtype == np.int16:
        return True
    low, high = array.min(), array.max()
    if not (low >= INT16.min and high <= INT16.max):  # False for NaN too
        return False
    return array.dtype.kind != "f" or all(bool(np.array_equal(piece, np.rint(piece))) for piece in slices_of(array))

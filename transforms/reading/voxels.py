"""Voxel values: their type, and the smallest that holds them."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.errors import UnreadableError
from transforms.reading.volume import Voxels

INT16 = np.iinfo(np.int16)


def to_target(array: npt.NDArray[Any], *, smallest: bool) -> Voxels:
    """Converts values of any real type to `float32`, or to the smallest lossless of `int16` and `float32`.

    Args:
        array: `(X, Y, Z)`, preferably with the last axis outermost in memory.
        smallest: Take `int16` where all values are integers that fit.

    Returns:
        The array itself where its type is right already.
    """
    if smallest and all(fits_int16(piece) for piece in slices_of(array)):
        return array.astype(np.int16, copy=False)
    return array.astype(np.float32, copy=False)


def fits_int16(array: npt.NDArray[Any]) -> bool:
    """Whether all values are integers that `int16` holds; asks no value where the type says it."""
    if np.can_cast(array.dtype, np.int16):
        return True
    low, high = array.min(), array.max()
    if not (low >= INT16.min and high <= INT16.max):  # False for NaN too
        return False
    return array.dtype.kind != "f" or bool(np.array_equal(array, np.rint(array)))


def check_real(dtype: np.dtype[Any], where: str | PathLike[str]) -> None:
    """Refuses colour, complex and other types that hold no HU, and numbers longer than 64 bits.

    Raises:
        UnreadableError: For a type that is neither integer nor floating point of at most 64 bits.
    """
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise UnreadableError(
            "the voxels are not numbers on one scale",
            where=where,
            found=f"type {dtype}",
            expected="integers or floating point of at most 64 bits",
            remedy="Store the volume as int16 or float32 Hounsfield units",
        )


def slices_of(array: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """The array's pieces along its last axis: what is computed for one at a time needs no copy of the whole."""
    return (array[..., index] for index in range(array.shape[-1]))

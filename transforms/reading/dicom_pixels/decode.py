"""The pixels of sorted slices to one volume in HU, a few files at a time, without a second copy of it."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.dicom_headers import Slice
from transforms.reading.dicom_pixels.layout import layout_of, unreadable
from transforms.reading.dicom_pixels.rescale import is_whole, to_float, to_int16
from transforms.reading.dicom_pixels.stored import padding_hu, stored_planes
from transforms.reading.padding import AIR_HU
from transforms.reading.volume import Voxels

MAX_THREADS = 4
"""Files read at once; more only wait for the disk or for each other."""

FILES_IN_A_ROW = 16
"""Files that one thread reads one after the other: neighbours share a page of memory, which two threads would both
clear."""

_Padded = Counter[tuple[float, ...]]  # how many voxels were padding, by the HU that it would have been


class Decoded(NamedTuple):
    """A volume in HU, `(X, Y, Z)`, and what was put right."""

    array: Voxels
    said: tuple[str, ...]


def decode(slices: Sequence[Slice], *, smallest: bool) -> Decoded:
    """The HU of a sorted series; what PixelPaddingValue marks becomes air.

    Args:
        slices: In volume order, all of one size, with slope and intercept.
        smallest: Take `int16` where slopes and intercepts are integers and all HU fit, else `float32`.

    Raises:
        UnreadableError: When the pixels of a file are missing, cut short, corrupt, or not what its header says.
        MissingExtraError: When they are compressed in a way that needs another package.
    """
    shape = (len(slices), slices[0].rows, slices[0].columns)
    for one in slices:
        layout_of(one)
    padded = None
    if smallest and all(map(is_whole, slices)):
        array: npt.NDArray[Any] = _room(shape, np.int16, slices[0])
        padded = _fill(array, slices)
    if padded is None:
        array = np.empty(0)  # makes room
        array = _room(shape, np.float32, slices[0])
        padded = _fill(array, slices) or _Padded()
    return Decoded(array.T, tuple(_said(padded, slices)))


def hounsfield(one: Slice) -> npt.NDArray[np.float64]:
    """The HU of one slice with its padding, `(rows, columns)`, exact."""
    plane = np.empty((one.rows, one.columns), dtype=np.float64)
    (stored,) = stored_planes([one], [None])
    to_float(stored.values, one, plane)
    return plane


def _room(shape: tuple[int, int, int], dtype: type[np.number[Any]], first: Slice) -> npt.NDArray[Any]:
    try:
        return np.empty(shape, dtype=dtype)
    except (MemoryError, ValueError) as error:
        size = " x ".join(map(str, shape))
        raise unreadable(first, "the volume does not fit into memory", f"{size} voxels") from error


def _fill(array: npt.NDArray[Any], slices: Sequence[Slice]) -> _Padded | None:
    """Fills `(Z, Y, X)`; `None` where values do not fit its type."""
    by_file: dict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(slices):
        by_file[str(one.file.path)].append(index)

    def fill(some: Sequence[list[int]]) -> _Padded | None:
        padded = _Padded()
        for indices in some:
            found = _fill_planes([array[index] for index in indices], [slices[index] for index in indices])
            if found is None:
                return None
            padded.update(found)
        return padded

    files = list(by_file.values())
    runs = [files[start : start + FILES_IN_A_ROW] for start in range(0, len(files), FILES_IN_A_ROW)]
    with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as pool:
        padded = _Padded()
        for found in pool.map(fill, runs):
            if found is None:
                pool.shutdown(cancel_futures=True)
                return None
            padded.update(found)
    return padded


def _fill_planes(planes: Sequence[npt.NDArray[Any]], slices: Sequence[Slice]) -> _Padded | None:
    """Fills the planes of one file's slices."""
    in_place = planes[0].dtype == np.int16
    padded = _Padded()
    buffers = planes if in_place else [None] * len(planes)
    for plane, one, stored in zip(planes, slices, stored_planes(slices, buffers), strict=True):
        if stored.padding is not None:
            stored.values[stored.padding] = 0  # its own value may not fit
        if not (to_int16 if in_place else to_float)(stored.values, one, plane):
            return None
        if stored.padding is not None:
            plane[stored.padding] = AIR_HU
            padded[padding_hu(one)] += int(np.count_nonzero(stored.padding))
    return padded


def _said(padded: _Padded, slices: Iterable[Slice]) -> Iterable[str]:
    if total := padded.total():
        values = sorted({hu for pair in padded if padded[pair] for hu in pair})
        marked = f"{values[0]:g} HU" if len(values) == 1 else f"{values[0]:g} to {values[-1]:g} HU"
        yield f"{total} voxels outside the field of view, marked by PixelPaddingValue ({marked}), were set to {AIR_HU}."

"""Pixels that are stored as they are: read from their place in the file into the memory where they stay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from transforms.dicom_headers import Slice
from transforms.errors import UnreadableError
from transforms.reading.dicom_pixels.layout import Layout, unreadable

_BYTE_ORDERS: dict[str, str] = {ImplicitVRLittleEndian: "<", ExplicitVRLittleEndian: "<", ExplicitVRBigEndian: ">"}
_Plane = npt.NDArray[Any]


def is_native(one: Slice) -> bool:
    """Whether the pixels lie in the file cell by cell; 8-bit ones in big-endian files may be swapped in pairs."""
    order = _BYTE_ORDERS.get(one.pixels.transfer_syntax)
    return order == "<" or (order == ">" and one.pixels.bits_allocated != 8)


def native_planes(
    slices: Sequence[Slice], layout: Layout, buffers: Sequence[npt.NDArray[np.int16] | None]
) -> Iterator[_Plane]:
    """The cells of slices of one file, `(rows, columns)`; in the memory of a buffer where it has their width.

    Raises:
        UnreadableError: When there are fewer or more pixels than the header describes.
    """
    first = slices[0]
    order, size = _BYTE_ORDERS[first.pixels.transfer_syntax], layout.bits_allocated // 8
    dtype = np.dtype(f"{order}{'i' if layout.signed else 'u'}{size}")
    frame_bytes = first.rows * first.columns * size
    check_length(first, layout)
    with first.file.path.open("rb", buffering=0) as opened:
        for one, buffer in zip(slices, buffers, strict=True):
            reusable = buffer is not None and buffer.dtype.itemsize == size
            plane = buffer.view(dtype) if reusable and buffer is not None else np.empty((one.rows, one.columns), dtype)
            opened.seek((one.pixels.start or 0) + (one.frame or 0) * frame_bytes)
            got = opened.readinto(plane.reshape(-1).view(np.uint8).data)
            if got != frame_bytes:
                raise _cut_short(one, got or 0, frame_bytes)
            yield plane if dtype.isnative else plane.byteswap(inplace=True).view(dtype.newbyteorder())


def check_length(one: Slice, layout: Layout) -> None:
    """Refuses a length that is not that of the pixels which the header describes.

    A last row or less may follow the pixels as padding: wrong Rows or Columns would leave more.

    Raises:
        UnreadableError: When there are fewer or more pixels than the header describes.
    """
    size = layout.bits_allocated // 8
    length, expected = one.pixels.length, one.pixels.frames * one.rows * one.columns * size
    if one.pixels.start is None:
        raise unreadable(one, "the file holds no pixels", "no PixelData")
    if length is None:
        raise unreadable(one, "the pixels are in fragments, though the transfer syntax is uncompressed")
    if length < expected:
        raise _cut_short(one, length, expected)
    if length - expected >= min(one.rows, one.columns) * size:
        raise unreadable(
            one,
            "there are more pixels than the header describes",
            f"{length} bytes",
            f"{expected} bytes for {one.pixels.frames} x {one.rows} x {one.columns} pixels",
        )


def _cut_short(one: Slice, found: int, expected: int) -> UnreadableError:
    return unreadable(one, "the pixels are cut short", f"{found} bytes", f"{expected} bytes")

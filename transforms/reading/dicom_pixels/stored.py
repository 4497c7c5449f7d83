"""The stored values of slices: cells as the file has them, without what is not the value's own in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.dicom_headers import Slice
from transforms.reading.dicom_pixels.encoded import encoded_planes
from transforms.reading.dicom_pixels.layout import Layout, layout_of
from transforms.reading.dicom_pixels.native import is_native, native_planes

TISSUE_HU = (-1024.0, 3071.0)
"""What scanners give for tissue, air and most metal. A padding value within is left: tissue may have it too."""

_Plane = npt.NDArray[Any]


class Stored(NamedTuple):
    """Values `(rows, columns)` of one slice, and where they are padding: `None` where nowhere."""

    values: _Plane
    padding: npt.NDArray[np.bool_] | None


def stored_planes(slices: Sequence[Slice], buffers: Sequence[npt.NDArray[np.int16] | None]) -> Iterator[Stored]:
    """The stored values of slices of one file; made in the memory of a buffer where there is one and they fit.

    Raises:
        UnreadableError: When the pixels are missing, cut short, corrupt, or not what the header says.
        MissingExtraError: When they are compressed in a way that needs another package.
    """
    layout = layout_of(slices[0])
    native = is_native(slices[0])
    planes = native_planes(slices, layout, buffers) if native else encoded_planes(slices, layout)
    for one, cells in zip(slices, planes, strict=True):
        yield _stored(cells, one, layout)


def padding_hu(one: Slice) -> tuple[float, ...]:
    """The HU that the ends of the slice's padding range would be; an empty tuple where it names none."""
    if not one.slope or one.intercept is None:
        return ()
    return tuple(value * one.slope + one.intercept for value in _padding_values(one))


def _stored(cells: _Plane, one: Slice, layout: Layout) -> Stored:
    marked = _padding_values(one) if _is_no_tissue(padding_hu(one)) else ()
    fits = marked and layout.low <= min(marked) and max(marked) <= layout.high
    beyond = _between(cells, marked) if marked and not fits else None  # uses bits that are none of the value
    values = _own_bits(cells, layout)
    padding = _between(values, marked) if fits else beyond
    return Stored(values, padding if padding is not None and padding.any() else None)


def _own_bits(cells: _Plane, layout: Layout) -> _Plane:
    """Drops the bits above HighBit and below the value (PS3.5, 8.1.1), and extends its sign; in place."""
    width = cells.dtype.itemsize * 8
    above = width - 1 - layout.high_bit
    beside = width - layout.bits_stored
    if above:
        np.left_shift(cells, above, out=cells)
    if beside:
        np.right_shift(cells, beside, out=cells)
    return cells


def _padding_values(one: Slice) -> tuple[int, ...]:
    bits = min(one.pixels.bits_allocated or 16, 16)
    cells = (value & ((1 << bits) - 1) for value in one.pixels.padding)
    return tuple(cell - (1 << bits) if one.pixels.signed and cell >> (bits - 1) else cell for cell in cells)


def _is_no_tissue(ends: tuple[float, ...]) -> bool:
    return bool(ends) and (max(ends) < TISSUE_HU[0] or min(ends) > TISSUE_HU[1])


def _between(plane: _Plane, ends: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    return np.asarray(plane == ends[0]) if len(set(ends)) == 1 else (plane >= min(ends)) & (plane <= max(ends))

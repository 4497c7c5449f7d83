"""Pixels that are compressed or deflated, decoded by pydicom and its plugins."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import get_frame, parse_basic_offsets
from pydicom.pixels.decoders.base import Decoder
from pydicom.uid import UID

from transforms.bounded_file import BoundedFile
from transforms.dicom_headers import BROKEN_DICOM, Slice
from transforms.reading.dicom_pixels.codecs import LOSSY, decoder_of
from transforms.reading.dicom_pixels.codestreams import check_codestream
from transforms.reading.dicom_pixels.layout import Layout, unreadable

_PIXEL_TAGS = [
    "SOPClassUID", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows",
    "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths", "PixelData",
]  # fmt: skip
_AS_STORED: dict[str, Any] = {"correct_unused_bits": False}
_PANIC = "PanicException"
_DECODER_LOGGER = logging.getLogger(Decoder.__module__)
_Plane = npt.NDArray[Any]


def encoded_planes(slices: Sequence[Slice], layout: Layout) -> Iterator[_Plane]:
    """The cells of slices of one file, `(rows, columns)`.

    Raises:
        UnreadableError: When the pixels are missing, cut short, corrupt, or not what the header says.
        MissingExtraError: When they are compressed in a way that needs another package.
    """
    decoder, plugin = decoder_of(slices[0], layout)
    dataset = _read(slices[0])
    for one in slices:
        if decoder.is_encapsulated:
            check_codestream(_frame(dataset, one), one)
        try:
            with _no_tracebacks():
                plane, _ = decoder.as_array(
                    dataset, index=one.frame or 0, raw=True, decoding_plugin=plugin, **_AS_STORED
                )
        except BaseException as error:  # boundary: decoders in Rust panic with a class that cannot be imported
            if not isinstance(error, BROKEN_DICOM) and type(error).__name__ != _PANIC:
                raise
            raise unreadable(one, "the pixels cannot be decoded: they are cut short or corrupt") from error
        yield _checked(plane, one, layout)


@contextmanager
def _no_tracebacks() -> Iterator[None]:
    """Lets pydicom log no traceback of what becomes an error of ours."""

    def keep(record: logging.LogRecord) -> bool:
        return record.exc_info is None

    _DECODER_LOGGER.addFilter(keep)
    try:
        yield
    finally:
        _DECODER_LOGGER.removeFilter(keep)


def _read(one: Slice) -> Dataset:
    try:
        with BoundedFile(one.file.path) as opened:
            dataset = pydicom.dcmread(opened, force=True, specific_tags=list(_PIXEL_TAGS))
        if not hasattr(dataset, "file_meta"):
            dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = UID(one.pixels.transfer_syntax)
        missing = not dataset.get("PixelData")
    except BROKEN_DICOM as error:
        raise unreadable(one, "the pixels are cut short or corrupt") from error
    if missing:
        raise unreadable(one, "the file holds no pixels", "no PixelData")
    return dataset


def _frame(dataset: Dataset, one: Slice) -> bytes:
    table = dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths")
    try:
        offsets = parse_basic_offsets(dataset.PixelData)
        if len(offsets) > one.pixels.frames:
            raise unreadable(
                one, "there are more frames than the header describes", f"{len(offsets)}", f"{one.pixels.frames}"
            )
        return get_frame(
            dataset.PixelData,
            one.frame or 0,
            number_of_frames=one.pixels.frames,
            extended_offsets=None if None in table else table,
        )
    except BROKEN_DICOM as error:
        raise unreadable(one, "the fragments of the compressed pixels are cut short or corrupt") from error


def _checked(plane: _Plane, one: Slice, layout: Layout) -> _Plane:
    if plane.shape != (one.rows, one.columns):
        raise unreadable(
            one,
            "the decoded pixels have another size than the header says",
            f"{plane.shape}",
            f"{one.rows, one.columns}",
        )
    beyond = plane.min() < layout.low or plane.max() > layout.high
    if one.pixels.transfer_syntax in LOSSY and beyond:  # no spare bits of a cell, but values that would turn around
        raise unreadable(
            one,
            "the decoded values need more bits than the header says",
            f"{plane.min()} to {plane.max()}",
            f"{layout.low} to {layout.high}",
        )
    return plane if plane.dtype.isnative else plane.astype(plane.dtype.newbyteorder("="))

"""DICOM pixels to HU, a few slices at a time, into one array."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from transforms.dicom_headers import BROKEN_DICOM, DicomFile, Slice
from transforms.errors import IntensityError, MissingExtraError, UnreadableError
from transforms.reading.volume import Voxels
from transforms.reading.voxels import INT16

MAX_THREADS = 4
"""Slices decoded at once; more only wait for the disk or for each other."""

_PIXEL_TAGS = [
    "SOPClassUID", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows",
    "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths", "PixelData",
]  # fmt: skip
_Plane = npt.NDArray[Any]


def decode(slices: Sequence[Slice], *, smallest: bool) -> Voxels:
    """The HU of a sorted series, `(X, Y, Z)`; no second copy of the volume is made.

    Args:
        slices: In volume order, all of one size, with slope and intercept.
        smallest: Take `int16` where slopes and intercepts are integers and all HU fit, else `float32`.

    Raises:
        UnreadableError: When the pixels of a file are cut short or corrupt.
        MissingExtraError: When they are compressed in a way that needs another package.
    """
    whole = all(float(one.slope or 0).is_integer() and float(one.intercept or 0).is_integer() for one in slices)
    if smallest and whole:
        array = np.empty((len(slices), slices[0].rows, slices[0].columns), dtype=np.int16)
        if _decode_into(array, slices):
            return array.T
    floats = np.empty((len(slices), slices[0].rows, slices[0].columns), dtype=np.float32)
    _decode_into(floats, slices)
    return floats.T


def hounsfield(one: Slice) -> _Plane:
    """The HU of one slice, `(rows, columns)`, exact."""
    plane = _stored(_read(one.file), one)
    return _rescaled(plane, one)


def with_rescale(slices: Sequence[Slice], allow: frozenset[str]) -> tuple[str, ...]:
    """Checks that stored values can be turned into HU; returns what is to be said where `not-hu` is allowed.

    Raises:
        IntensityError: When RescaleSlope or RescaleIntercept is missing, or the slope is 0.
    """
    lacking = [one for one in slices if not one.slope or one.intercept is None]
    if not lacking:
        return ()
    if "not-hu" in allow:
        return (f"{len(lacking)} slices have no RescaleSlope or RescaleIntercept: their values are as stored.",)
    raise IntensityError(
        "stored values cannot be turned into Hounsfield units",
        where=lacking[0].file.name,
        found=f"RescaleSlope {lacking[0].slope}, RescaleIntercept {lacking[0].intercept}",
        expected="both, and a slope that is not 0",
        remedy="Export the series again from the scanner or archive, or pass --allow not-hu",
    )


def _decode_into(array: npt.NDArray[Any], slices: Sequence[Slice]) -> bool:
    """Fills `(Z, Y, X)`; returns whether all values fitted the array's type."""
    by_file: dict[DicomFile, list[int]] = defaultdict(list)
    for index, one in enumerate(slices):
        by_file[one.file].append(index)

    def fill(file: DicomFile) -> bool:
        dataset, fitted = _read(file), True
        for index in by_file[file]:
            values = _rescaled(_stored(dataset, slices[index]), slices[index])
            if array.dtype == np.int16:
                fitted &= bool(values.min() >= INT16.min and values.max() <= INT16.max)
            array[index] = values
        return fitted

    with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as pool:
        return all(list(pool.map(fill, by_file)))


def _rescaled(plane: _Plane, one: Slice) -> _Plane:
    slope, intercept = one.slope or 1.0, one.intercept or 0.0
    if slope.is_integer() and intercept.is_integer():
        return plane.astype(np.int64 if plane.dtype.itemsize > 2 else np.int32) * int(slope) + int(intercept)
    return plane * np.float64(slope) + np.float64(intercept)


def _read(file: DicomFile) -> Dataset:
    try:
        dataset = pydicom.dcmread(file.path, force=True, specific_tags=list(_PIXEL_TAGS))
        syntax = _transfer_syntax(dataset)
    except BROKEN_DICOM as error:
        raise _unreadable(file) from error
    _check_decoder(syntax, file)
    return dataset


def _stored(dataset: Dataset, one: Slice) -> _Plane:
    try:
        plane = pixel_array(dataset, index=one.frame or 0)
    except BROKEN_DICOM as error:
        raise _unreadable(one.file) from error
    if plane.shape != (one.rows, one.columns):
        raise _unreadable(one.file)
    return plane


def _transfer_syntax(dataset: Dataset) -> UID:
    """The file's own, or for files without meta header what its encoding shows; set where it was missing."""
    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = FileMetaDataset()
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return dataset.file_meta.TransferSyntaxUID


def _check_decoder(syntax: UID, file: DicomFile) -> None:
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError:
        available = False
    if not available:
        raise MissingExtraError(
            "the pixels are compressed in a way that needs another package",
            where=file.name,
            found=f"transfer syntax {syntax.name}",
            remedy="Run `pip install ctvol[codecs]`, or export the series uncompressed",
        )


def _unreadable(file: DicomFile) -> UnreadableError:
    return UnreadableError(
        "the pixels cannot be read: they are missing, cut short or corrupt",
        where=file.name,
        remedy="Transfer the series again",
    )

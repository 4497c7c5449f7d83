"""Slices of any encoding and any kind of stored values."""

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from transforms.dicom_headers import scan
from transforms.reading.dicom import files_of_folder
from transforms.reading.dicom_pixels import decode


@pytest.fixture
def stored_series(dicom_series):
    """A function that makes a series of given stored values, `(rows, columns)` for each slice."""

    def make(planes, *, bits_allocated=16, bits_stored=16, high_bit=None, signed=False, **elements):
        rows, columns = np.shape(planes[0])
        series = dicom_series(shape=(columns, rows, len(planes)))
        for dataset, plane in zip(series.slices, planes, strict=True):
            dataset.BitsAllocated, dataset.BitsStored = bits_allocated, bits_stored
            dataset.HighBit = bits_stored - 1 if high_bit is None else high_bit
            dataset.PixelRepresentation = int(signed)
            cells = np.asarray(plane).astype(f"<{'i' if signed else 'u'}{bits_allocated // 8}")
            dataset.PixelData = cells.tobytes()
            dataset["PixelData"].VR = "OB" if bits_allocated == 8 else "OW"
            for keyword, value in elements.items():
                setattr(dataset, keyword, value)
        return series

    return make


def hounsfield_of(folder):
    """What the pixels of a folder decode to: `(rows, columns)` for each slice, and what is said of them."""
    slices = sorted(scan(files_of_folder(folder)).slices, key=lambda one: one.file.name)
    array, said = decode(slices, smallest=True)
    return array.T, said


@pytest.fixture
def encapsulated():
    """A function that replaces a slice's pixels by compressed frames."""

    def put(dataset, frames, syntax):
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
        dataset.PixelData = encapsulate(frames)
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True

    return put

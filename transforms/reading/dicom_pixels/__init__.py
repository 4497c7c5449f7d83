"""DICOM pixels of every encoding to HU."""

from transforms.reading.dicom_pixels.check import check_stored
from transforms.reading.dicom_pixels.decode import Decoded, decode, hounsfield
from transforms.reading.dicom_pixels.rescale import with_rescale

__all__ = ["Decoded", "check_stored", "decode", "hounsfield", "with_rescale"]

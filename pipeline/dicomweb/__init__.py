"""Series from a DICOMweb archive, and results back to it."""

from pipeline.dicomweb.address import SeriesAddress, is_address, series_address, service_address
from pipeline.dicomweb.fetch import fetch_series
from pipeline.dicomweb.query import find_series
from pipeline.dicomweb.store import send_files

__all__ = [
    "SeriesAddress",
    "fetch_series",
    "find_series",
    "is_address",
    "send_files",
    "series_address",
    "service_address",
]

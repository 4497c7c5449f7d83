"""Which files of a folder are looked at."""

from __future__ import annotations

from pathlib import Path

from transforms.dicom_headers import DicomFile, read_header
from transforms.dicom_values import text
from transforms.file_kinds import is_dicom, is_hidden


def files_of_folder(folder: Path, series_uid: str | None = None) -> list[DicomFile]:
    """The files of a folder, and of the folders below it those that belong to a series of it, or to the one given.

    Where none of its own files is DICOM, all files below it. An index (DICOMDIR) is a file like others that are not
    DICOM: what it names lies below it.

    Raises:
        UnreadableError: When a header that tells the series of a file is corrupt.
    """
    own, below = _files(folder, "*"), _files(folder, "*/**/*")
    if any(is_dicom(file.path) for file in own) and below:
        series = {_series(file) for file in own if is_dicom(file.path)} - {""}
        series |= {series_uid.partition(":")[0]} if series_uid else set()
        below = [file for file in below if is_dicom(file.path) and _series(file) in series]
    return own + below


def _files(folder: Path, pattern: str) -> list[DicomFile]:
    return [
        DicomFile(path, str(path))
        for path in sorted(folder.glob(pattern))
        if path.is_file() and not any(is_hidden(part) for part in path.relative_to(folder).parts)
    ]


def _series(file: DicomFile) -> str:
    return text(read_header(file, ["SeriesInstanceUID"]), "SeriesInstanceUID")

"""What a user points at: whether it is there, what kind it is, and which files it holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from transforms.dicom_headers import DicomFile
from transforms.errors import NotFoundError, SeriesError, UnreadableError
from transforms.file_kinds import VOLUME_SUFFIXES, VolumeFormat, is_dicom, is_index, is_zip, volume_format
from transforms.reading.archive import unpacked
from transforms.reading.dicom.files import files_of_folder


def check_source(path: Path) -> VolumeFormat | None:
    """The format of a volume file, `None` for DICOM.

    Raises:
        NotFoundError: When the path does not exist or is an empty folder.
        UnreadableError: When it is an empty file, or may not be read.
    """
    try:
        if not path.exists():
            raise NotFoundError("there is no such file or folder", where=path, remedy="Check the path")
        if path.is_dir():
            if not any(path.iterdir()):
                raise NotFoundError("the folder is empty", where=path, remedy="Give the folder that holds the slices")
            return None
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise UnreadableError(
            "the path cannot be opened", where=path, found=error.strerror, remedy="Check the name and the permissions"
        ) from error
    if empty:
        raise UnreadableError("the file is empty", where=path, found="0 bytes", remedy="Copy or convert the file again")
    return volume_format(path)


@contextmanager
def dicom_files(path: Path, given: str, series_uid: str | None = None) -> Iterator[Sequence[DicomFile]]:
    """The files of a DICOM folder, a zip of one, or one file alone; those of a zip are gone when the block ends.

    A DICOMDIR stands for the folder that it lies in.

    Args:
        path: Anything for which :func:`check_source` returned `None`.
        given: What the user gave, for messages.
        series_uid: The series to read, `UID` or `UID:PART`, where one is asked for: it may lie in folders below.

    Raises:
        SeriesError: When a folder holds volume files and no DICOM.
        UnreadableError: When a file is of no known kind, or an archive cannot be unpacked.
    """
    if path.is_dir() or is_index(path):
        files = files_of_folder(path if path.is_dir() else path.parent, series_uid)
        if not any(is_dicom(file.path) for file in files) and any(volume_format(file.path) for file in files):
            raise SeriesError(
                "the folder holds no DICOM, but volume files", where=given, remedy="Give one of the files"
            )
        yield files
    elif is_zip(path):
        with unpacked(path) as members:
            yield members
    elif is_dicom(path):
        yield [DicomFile(path, given)]
    else:
        raise UnreadableError(
            "the file is of no known kind",
            where=given,
            found=f"a name ending in {path.suffix!r} and no DICOM header",
            expected=", ".join(VOLUME_SUFFIXES) + ", DICOM or .zip",
            remedy="Convert it to one of these",
        )

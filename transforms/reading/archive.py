"""Zip archives of DICOM folders, unpacked into a temporary folder for as long as they are read."""

from __future__ import annotations

import contextlib
import io
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from transforms.dicom_headers import DicomFile
from transforms.errors import UnreadableError
from transforms.file_kinds import is_hidden

MAX_UNPACKED_BYTES = 8 << 30
"""An archive may unpack to this much: 16,000 slices of 512 x 512."""

MAX_MEMBERS = 50_000
"""An archive may hold this many files."""

_BROKEN = (zipfile.BadZipFile, OSError, EOFError, zlib.error, NotImplementedError, RuntimeError, ValueError)


@contextlib.contextmanager
def unpacked(archive: Path) -> Iterator[list[DicomFile]]:
    """The members of a zip archive as files, under numbers for names; gone when the block ends.

    Raises:
        UnreadableError: When the archive is corrupt, encrypted or too large, holds links, or a member's name points
            outside of it.
    """
    with tempfile.TemporaryDirectory(prefix="ctvol-") as folder:
        try:
            with zipfile.ZipFile(archive) as opened:
                files = _unpack(opened, _wanted(opened, archive), Path(folder), archive)
        except _BROKEN as error:
            raise _refusal(archive, "the archive is corrupt, encrypted or no zip file") from error
        yield files


@contextlib.contextmanager
def open_source(name: str) -> Iterator[BinaryIO]:
    """Opens one of a volume's `source_files`, be it a file or `ARCHIVE.zip/MEMBER`.

    Raises:
        UnreadableError: When it is there no more.
    """
    path = Path(name)
    archive = next((parent for parent in path.parents if parent.suffix.lower() == ".zip" and parent.is_file()), None)
    try:
        if archive is None:
            content: BinaryIO = path.open("rb")
        else:
            with zipfile.ZipFile(archive) as opened:
                content = io.BytesIO(opened.read(path.relative_to(archive).as_posix()))
    except (*_BROKEN, KeyError) as error:
        raise _refusal(path, "the source file cannot be read again") from error
    with content:
        yield content


def _wanted(opened: zipfile.ZipFile, archive: Path) -> list[zipfile.ZipInfo]:
    members = [member for member in opened.infolist() if not member.is_dir()]
    declared = sum(member.file_size for member in members)
    if len(members) > MAX_MEMBERS or declared > MAX_UNPACKED_BYTES:
        raise _too_large(archive, f"{len(members)} files, {declared} bytes")
    for member in members:
        _check_member(member, archive)
    return [member for member in members if not any(is_hidden(part) for part in PurePosixPath(member.filename).parts)]


def _check_member(member: zipfile.ZipInfo, archive: Path) -> None:
    name = PurePosixPath(member.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts:
        raise _refusal(archive, "a member's name points outside of the archive", member.filename)
    if stat.S_ISLNK(member.external_attr >> 16):
        raise _refusal(archive, "the archive holds a link", member.filename)


def _unpack(opened: zipfile.ZipFile, members: list[zipfile.ZipInfo], folder: Path, archive: Path) -> list[DicomFile]:
    files: list[DicomFile] = []
    left = MAX_UNPACKED_BYTES
    for number, member in enumerate(sorted(members, key=lambda item: item.filename)):
        path = folder / f"{number:06d}"  # a name of ours: the member's own cannot lead anywhere
        with opened.open(member) as source, path.open("wb") as target:
            left -= _copy(source, target, left, archive)
        files.append(DicomFile(path, str(archive / member.filename)))
    return files


def _copy(source: IO[bytes], target: IO[bytes], limit: int, archive: Path) -> int:
    """Copies at most `limit` bytes: what an archive declares about itself may be a lie."""
    written = 0
    while piece := source.read(1 << 20):
        written += len(piece)
        if written > limit:
            raise _too_large(archive, f"more than {MAX_UNPACKED_BYTES} bytes")
        target.write(piece)
    return written


def _too_large(archive: Path, found: str) -> UnreadableError:
    return UnreadableError(
        "the archive is too large",
        where=archive,
        found=found,
        expected=f"at most {MAX_MEMBERS} files and {MAX_UNPACKED_BYTES} bytes",
        remedy="Unpack it yourself and give the folder",
    )


def _refusal(archive: Path, finding: str, found: str | None = None) -> UnreadableError:
    return UnreadableError(finding, where=archive, found=found, remedy="Unpack it yourself and give the folder")

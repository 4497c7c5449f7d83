"""Zip archives of DICOM folders, unpacked into a temporary folder for as long as they are read."""

from __future__ import annotations

import contextlib
import errno
import io
import stat
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, BinaryIO

from transforms.dicom_headers import DicomFile
from transforms.errors import UnreadableError
from transforms.file_kinds import is_hidden, is_zip

MAX_UNPACKED_BYTES = 8 << 30
"""An archive may unpack to this much: 16,000 slices of 512 x 512."""

MAX_UNPACKED_SHARE = 100
"""An archive may unpack to so many times its own size, or to :data:`SMALL_BYTES`: CT hardly halves."""

SMALL_BYTES = 1 << 28
"""What unpacks to less harms nobody, however small it was packed."""

MAX_MEMBERS = 50_000
"""An archive may hold this many files."""

PACKINGS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2})
"""How members may be packed. LZMA takes the memory that the archive asks for, up to 4 GB."""

_ENCRYPTED = 0x1
_BROKEN = (zipfile.BadZipFile, OSError, EOFError, zlib.error, NotImplementedError, RuntimeError, ValueError)


@contextlib.contextmanager
def unpacked(archive: Path) -> Iterator[list[DicomFile]]:
    """The members of a zip archive as files, under numbers for names; gone when the block ends.

    Raises:
        UnreadableError: When the archive is corrupt, encrypted, packed in an unusual way or too large, holds links or
            nothing but archives, or a member's name points outside of it or is there twice.
    """
    with tempfile.TemporaryDirectory(prefix="ctvol-") as folder:
        try:
            with zipfile.ZipFile(archive) as opened:
                files = _unpack(opened, _wanted(opened, archive), Path(folder), archive)
        except _BROKEN as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise _refusal(archive, "there is no room to unpack the archive", tempfile.gettempdir()) from error
            raise _refusal(archive, "the archive is corrupt or no zip file") from error
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
    declared, most = sum(member.file_size for member in members), _most_bytes(archive)
    if len(members) > MAX_MEMBERS or declared > most:
        raise _too_large(archive, f"{len(members)} files, {declared} bytes", most)
    for member in members:
        _check_member(member, archive)
    wanted = [member for member in members if not any(is_hidden(part) for part in PurePosixPath(member.filename).parts)]
    twice = [name for name, count in Counter(member.filename for member in wanted).items() if count > 1]
    if twice:
        raise _refusal(archive, "the archive holds two files of one name", twice[0])
    if wanted and all(is_zip(member.filename) for member in wanted):
        raise _refusal(archive, "the archive holds nothing but archives", wanted[0].filename)
    return wanted


def _most_bytes(archive: Path) -> int:
    return min(MAX_UNPACKED_BYTES, max(SMALL_BYTES, MAX_UNPACKED_SHARE * archive.stat().st_size))


def _check_member(member: zipfile.ZipInfo, archive: Path) -> None:
    name = PurePosixPath(member.filename.replace("\\", "/"))
    if not member.filename.isprintable():
        raise _refusal(archive, "a member's name holds control characters", repr(member.filename))
    if name.is_absolute() or ".." in name.parts or PureWindowsPath(member.filename).drive:
        raise _refusal(archive, "a member's name points outside of the archive", member.filename)
    if member.flag_bits & _ENCRYPTED:
        raise _refusal(archive, "the archive is encrypted", member.filename)
    if member.compress_type not in PACKINGS:
        raise _refusal(archive, "the archive is packed in a way that is not read", member.filename)
    if stat.S_ISLNK(member.external_attr >> 16):
        raise _refusal(archive, "the archive holds a link", member.filename)


def _unpack(opened: zipfile.ZipFile, members: list[zipfile.ZipInfo], folder: Path, archive: Path) -> list[DicomFile]:
    files: list[DicomFile] = []
    left = most = _most_bytes(archive)
    for number, member in enumerate(sorted(members, key=lambda item: item.filename)):
        path = folder / f"{number:06d}"  # a name of ours: the member's own cannot lead anywhere
        try:
            with opened.open(member) as source, path.open("wb") as target:
                left -= _copy(source, target, left)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise _refusal(archive, "the archive is corrupt", member.filename) from error
        except _TooMuchError as error:
            raise _too_large(archive, f"more than {most} bytes", most) from error
        files.append(DicomFile(path, str(archive / member.filename)))
    return files


class _TooMuchError(Exception):
    """There is more to unpack than may be."""


def _copy(source: IO[bytes], target: IO[bytes], limit: int) -> int:
    """Copies at most `limit` bytes: what an archive declares about itself may be a lie."""
    written = 0
    while piece := source.read(1 << 20):
        written += len(piece)
        if written > limit:
            raise _TooMuchError
        target.write(piece)
    return written


def _too_large(archive: Path, found: str, most: int) -> UnreadableError:
    return UnreadableError(
        "the archive is too large",
        where=archive,
        found=found,
        expected=f"at most {MAX_MEMBERS} files and {most} bytes",
        remedy="Unpack it yourself and give the folder",
    )


def _refusal(archive: Path, finding: str, found: str | None = None) -> UnreadableError:
    return UnreadableError(finding, where=archive, found=found, remedy="Unpack it yourself and give the folder")

"""The voxels of a volume file: packed or not, checked against what the header claims, decoded into one array."""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import numpy as np
from isal import igzip, isal_zlib

from transforms.errors import UnreadableError
from transforms.reading.volume import Voxels
from transforms.reading.voxel_stream import decode

Packing = Literal["raw", "gzip", "zlib"]

DEFLATE_MAX_RATIO = 1100
"""Deflate cannot pack tighter (1032 : 1): a header that asks for more than this lies about the file."""

MAX_REST_BYTES = 4096
"""So much may follow the voxels, as padding of a block; more belongs to a larger volume than the header says."""

PIECE_BYTES = 1 << 18
"""Bytes of a file taken at a time."""

BROKEN_STREAM: tuple[type[Exception], ...] = (
    OSError,
    EOFError,
    zlib.error,
    cast(type[Exception], isal_zlib.error),
)
"""What reading a packed stream may raise."""


@dataclass(frozen=True, kw_only=True)
class VoxelFile:
    """Where the voxels of a volume are, and how they are stored."""

    path: Path
    """The file that holds them."""
    packing: Packing
    start: int = 0
    """Where in the file the stream begins, bytes."""
    skip: int = 0
    """How many bytes of the unpacked stream come before the voxels."""
    shape: tuple[int, int, int]
    stored: np.dtype[Any]
    """Their type, with its byte order."""
    scaling: tuple[float, float] | None = None
    """Slope and intercept; `None` where the stored values are the values."""

    def check_size(self) -> None:
        """Refuses a header that claims more voxels than the file can hold; allocates nothing.

        Raises:
            UnreadableError: When it does.
        """
        size = max(self.path.stat().st_size - self.start, 0)
        needed = self.skip + math.prod(self.shape) * self.stored.itemsize
        if needed > (size if self.packing == "raw" else size * DEFLATE_MAX_RATIO):
            raise unreadable(
                self.path, "the file is shorter than its header says", f"{size} bytes", f"room for {needed} bytes"
            )

    def read(self, *, smallest: bool) -> Voxels:
        """The voxels, `(X, Y, Z)`; `int16` where asked for and all are integers that fit, else `float32`.

        Raises:
            UnreadableError: When the file is cut short, corrupt, or longer than its header says.
        """
        self.check_size()
        count = math.prod(self.shape)
        try:
            with open_stream(self.path, self.packing, self.start) as stream:
                _skip(stream, self.skip)
                flat = decode(stream, count, self.stored, scaling=self.scaling, smallest=smallest)
                rest = _drain(stream)
        except BROKEN_STREAM as error:
            raise unreadable(self.path, f"the voxels cannot be read: {kind_of_damage(error)}") from error
        if rest > MAX_REST_BYTES:
            found = f"{rest} bytes after the voxels"
            raise unreadable(self.path, "the file is longer than its header says", found, "none")
        return flat.reshape(self.shape, order="F")


@contextmanager
def open_stream(path: Path, packing: Packing, start: int = 0) -> Iterator[BinaryIO]:
    """Opens the content of a file from a place on, unpacked; :data:`BROKEN_STREAM` may come out of it."""
    with path.open("rb") as file:
        file.seek(start)
        if packing == "raw":
            yield file
        elif packing == "gzip":
            yield cast(BinaryIO, igzip.IGzipFile(fileobj=file, mode="rb"))
        else:
            yield cast(BinaryIO, io.BufferedReader(_Inflated(file)))


def is_gzip(path: Path, start: int = 0) -> bool:
    """Whether a gzip stream begins at a place of a file."""
    with path.open("rb") as file:
        file.seek(start)
        return file.read(2) == b"\x1f\x8b"


def kind_of_damage(error: BaseException) -> str:
    """What a failure to read says about the file."""
    return "it is cut short" if isinstance(error, EOFError) else "it is corrupt or of another kind"


def unreadable(path: Path, finding: str, found: str | None = None, expected: str | None = None) -> UnreadableError:
    """The error for a file that another copy may mend."""
    return UnreadableError(finding, where=path, found=found, expected=expected, remedy="Copy or convert the file again")


class _Inflated(io.RawIOBase):
    """The content of a zlib stream; its checksum is looked at where it ends."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._inflate = isal_zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, space: Any) -> int:
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._file.read(PIECE_BYTES)
            if not packed:
                raise EOFError("the stream ends before its checksum")
            if content := self._inflate.decompress(packed, len(space)):
                space[: len(content)] = content
                return len(content)
        return 0


def _skip(stream: BinaryIO, count: int) -> None:
    while count:
        piece = stream.read(min(count, PIECE_BYTES))
        if not piece:
            raise EOFError("the stream ends before its voxels")
        count -= len(piece)


def _drain(stream: BinaryIO) -> int:
    """Reads on to the end, where a packed stream has its checksum; returns how many bytes there were."""
    rest = 0
    while piece := stream.read(PIECE_BYTES):
        rest += len(piece)
    return rest

"""DICOM files that are deflated as a whole: pydicom inflates them at once, however large that makes them."""

from __future__ import annotations

import zlib
from pathlib import Path

from pydicom.uid import DeflatedExplicitVRLittleEndian

MAX_INFLATED_SHARE = 100
"""A deflated file may inflate to so many times its own size, or to :data:`SMALL_BYTES`: CT hardly halves."""

SMALL_BYTES = 1 << 26
"""What inflates to less harms nobody, however small it was."""

_META_START = 132  # behind preamble and prefix: the length of the meta header, an element of 12 bytes
_META_LENGTH = b"\x02\x00\x00\x00UL\x04\x00"
_HEAD_BYTES = 2048
_PIECE = 1 << 20


def inflates_too_far(path: Path) -> bool:
    """Whether a file is deflated and would take far more memory than it is large.

    A deflated file that does not say where its meta header ends counts as one.
    """
    with path.open("rb") as opened:
        head = opened.read(_HEAD_BYTES)
        if DeflatedExplicitVRLittleEndian.encode() not in head:
            return False
        if head[_META_START : _META_START + 8] != _META_LENGTH:
            return True
        opened.seek(_META_START + 12 + int.from_bytes(head[_META_START + 8 : _META_START + 12], "little"))
        most, inflater = max(SMALL_BYTES, MAX_INFLATED_SHARE * path.stat().st_size), zlib.decompressobj(-zlib.MAX_WBITS)
        piece = opened.read(_PIECE)
        while piece and most >= 0:
            most -= len(inflater.decompress(piece, _PIECE))
            piece = inflater.unconsumed_tail or opened.read(_PIECE)
        return most < 0

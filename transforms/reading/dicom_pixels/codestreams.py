"""What a compressed frame says about itself, checked before a decoder trusts it."""

from __future__ import annotations

from typing import NamedTuple

from pydicom.uid import HTJ2K, JPEG2000, UID, HTJ2KLossless, HTJ2KLosslessRPCL, JPEG2000Lossless, RLELossless

from transforms.dicom_headers import Slice
from transforms.reading.dicom_pixels.layout import unreadable

_JPEG_2000 = frozenset({JPEG2000, JPEG2000Lossless, HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL})
_END = b"\xff\xd9"  # of JPEG, JPEG-LS and JPEG 2000 alike
_PADDING = b"\0\xff"  # to an even length; the standard has 0 alone
_J2K_START = b"\xff\x4f\xff\x51"
_JPEG_START = b"\xff\xd8"
_NO_FRAME = {0xC4, 0xC8, 0xCC}  # markers among those of frames that start none
_JPEG_LS_FRAME = 0xF7
_JPEG_CELL_BITS = 16  # JPEG and JPEG-LS in DICOM: 8 or 16 bits allocated (PS3.5, 8.2); GDCM aborts on more


class Codestream(NamedTuple):
    """The size and depth that a compressed frame gives itself."""

    rows: int
    columns: int
    components: int
    bits: int


def check_codestream(frame: bytes, one: Slice) -> None:
    """Refuses a frame that is cut short, or is not the picture that the header describes.

    Decoders take memory by what the frame says, and some fill what is missing with anything.

    Raises:
        UnreadableError: For such a frame.
    """
    if one.pixels.transfer_syntax == RLELossless:
        return
    is_jpeg_2000 = UID(one.pixels.transfer_syntax) in _JPEG_2000
    try:
        found = (_jpeg_2000 if is_jpeg_2000 else _jpeg)(frame)
    except (ValueError, IndexError):
        found = None
    if found is None or not frame.rstrip(_PADDING).endswith(_END):
        raise unreadable(one, "the compressed pixels are cut short or corrupt", f"{len(frame)} bytes")
    most = one.pixels.bits_allocated or 0
    if most > _JPEG_CELL_BITS and not is_jpeg_2000:
        raise unreadable(
            one, "the header is not one of JPEG", f"BitsAllocated {most}", f"at most {_JPEG_CELL_BITS} bits"
        )
    if found[:3] != (one.rows, one.columns, 1) or found.bits > most:
        raise unreadable(
            one,
            "the compressed pixels are not what the header says",
            f"{found.rows} x {found.columns}, {found.components} component(s) of {found.bits} bits",
            f"{one.rows} x {one.columns}, 1 component of at most {most} bits",
        )


def _jpeg(frame: bytes) -> Codestream | None:
    """Reads JPEG and JPEG-LS up to the marker that starts the frame."""
    if not frame.startswith(_JPEG_START):
        return None
    at = len(_JPEG_START)
    while frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if (0xC0 <= marker <= 0xCF and marker not in _NO_FRAME) or marker == _JPEG_LS_FRAME:
            rows, columns = (int.from_bytes(frame[at + 5 + offset : at + 7 + offset], "big") for offset in (0, 2))
            return Codestream(rows, columns, components=frame[at + 9], bits=frame[at + 4])
        at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None


def _jpeg_2000(frame: bytes) -> Codestream | None:
    """Reads the SIZ marker segment; some writers put the codestream into the boxes of a JP2 file."""
    at = frame.find(_J2K_START)
    if at < 0:
        return None
    sizes = [int.from_bytes(frame[place : place + 4], "big") for place in range(at + 8, at + 24, 4)]
    columns, rows = sizes[0] - sizes[2], sizes[1] - sizes[3]
    components = int.from_bytes(frame[at + 40 : at + 42], "big")
    return Codestream(rows, columns, components, bits=(frame[at + 42] & 0x7F) + 1)

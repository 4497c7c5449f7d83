"""What a DICOM header says about how its pixels are stored, and where in the file they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from transforms.dicom_values import code, tag_of, text, texts

PixelElement = Literal["PixelData", "FloatPixelData", "DoubleFloatPixelData"]

PIXEL_HEADER_TAGS = [
    "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "ModalityLUTSequence", "NumberOfFrames",
]  # fmt: skip
"""The elements of a header that :func:`read_pixel_header` needs."""

_ELEMENTS: dict[int, PixelElement] = {0x0010: "PixelData", 0x0009: "DoubleFloatPixelData", 0x0008: "FloatPixelData"}
_GROUP = 0x7FE0
_UNDEFINED_LENGTH = 0xFFFFFFFF


@dataclass(frozen=True, kw_only=True)
class PixelHeader:
    """How the pixels of one file are stored; `None` or nothing where the header does not say, or not in numbers."""

    transfer_syntax: str
    """Its UID; of a file without meta header the one that its encoding shows."""
    photometric: str
    bits_allocated: int | None
    bits_stored: int | None
    high_bit: int | None
    signed: bool | None
    padding: tuple[int, ...]
    """PixelPaddingValue, and PixelPaddingRangeLimit where there is one, as unsigned 16-bit cells: writers give them
    a signed type for unsigned pixels and the other way round."""
    has_modality_lut: bool
    element: PixelElement | None
    """The element that holds the pixels."""
    start: int | None
    """Where its value starts in the file; `None` in a file that is deflated as a whole."""
    length: int | None
    """Of its value, in bytes; `None` where it is in fragments."""
    frames: int
    """NumberOfFrames, 1 where there is none."""


def read_pixel_header(header: Dataset, opened: BinaryIO) -> PixelHeader:
    """The pixel header of a file that pydicom has just read up to its pixels.

    Args:
        header: At least :data:`PIXEL_HEADER_TAGS` of it.
        opened: The file, at the place where pydicom stopped.
    """
    syntax = _transfer_syntax(header)
    deflated = syntax == DeflatedExplicitVRLittleEndian
    element, start, length = (None, None, None) if deflated else _pixel_element(opened)
    padding = (_number(header, keyword) for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"))
    representation = _number(header, "PixelRepresentation")
    return PixelHeader(
        transfer_syntax=syntax,
        photometric=code(texts(header, "PhotometricInterpretation")),
        bits_allocated=_number(header, "BitsAllocated"),
        bits_stored=_number(header, "BitsStored"),
        high_bit=_number(header, "HighBit"),
        signed={0: False, 1: True}.get(2 if representation is None else representation),
        padding=tuple(value & 0xFFFF for value in padding if value is not None),
        has_modality_lut="ModalityLUTSequence" in header,
        element=element,
        start=start,
        length=length,
        frames=_count(header, "NumberOfFrames") or 1,
    )


def _transfer_syntax(header: Dataset) -> str:
    named = text(header.file_meta, "TransferSyntaxUID") if hasattr(header, "file_meta") else ""
    implicit, little = header.original_encoding
    explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    return named or (ImplicitVRLittleEndian if implicit else explicit)


def _number(header: Dataset, keyword: str) -> int | None:
    """An element of two bytes, by its bytes: its type may be given wrongly, or not at all."""
    element: Any = header.get_item(tag_of(keyword))
    if not isinstance(element, RawDataElement):
        return _count(header, keyword)
    cell = (element.value or b"")[:2]
    return int.from_bytes(cell, "little" if element.is_little_endian else "big") if len(cell) == 2 else None


def _count(header: Dataset, keyword: str) -> int | None:
    found = text(header, keyword)
    return int(found) if found.lstrip("-").isdecimal() else None


def _pixel_element(opened: BinaryIO) -> tuple[PixelElement | None, int | None, int | None]:
    head, at = opened.read(12), opened.tell()
    order: Literal["little", "big"] = "big" if head[:2] == _GROUP.to_bytes(2, "big") else "little"
    group, number = int.from_bytes(head[:2], order), int.from_bytes(head[2:4], order)
    if len(head) < 8 or group != _GROUP or number not in _ELEMENTS:
        return None, None, None
    explicit = head[4:6].isalpha()  # in an implicit one these are half of a length, which is even: O and U are odd
    length = int.from_bytes(head[8:12] if explicit else head[4:8], order)
    start = at if explicit else at - (len(head) - 8)
    return _ELEMENTS[number], start, None if length == _UNDEFINED_LENGTH else length

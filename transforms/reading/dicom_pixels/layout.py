"""How cells and values of a slice are laid out, checked; and the refusals of pixels."""

from __future__ import annotations

from dataclasses import dataclass

from transforms.dicom_headers import Slice
from transforms.errors import UnreadableError


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Bits of a value in its cell (PS3.5, 8.1.1)."""

    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool

    @property
    def low(self) -> int:
        """The smallest value."""
        return -(1 << (self.bits_stored - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """The largest value."""
        return (1 << (self.bits_stored - self.signed)) - 1


def layout_of(one: Slice) -> Layout:
    """The layout that a slice's header gives.

    Raises:
        UnreadableError: When it is incomplete or impossible, or there are no integer pixels.
    """
    header = one.pixels
    if header.element in ("FloatPixelData", "DoubleFloatPixelData"):
        raise unreadable(one, "the pixels are floating-point numbers", f"{header.element}", "integers in PixelData")
    if one.rows < 1 or one.columns < 1:
        raise unreadable(one, "the picture is empty", f"{one.rows} x {one.columns} pixels")
    allocated, stored, signed = header.bits_allocated, header.bits_stored, header.signed
    if allocated is None or stored is None or signed is None:
        needed = {"BitsAllocated": allocated, "BitsStored": stored, "PixelRepresentation": signed}
        missing = ", ".join(tag for tag, value in needed.items() if value is None)
        raise unreadable(one, "the header does not say how the pixels are stored", f"{missing} missing or malformed")
    high = stored - 1 if header.high_bit is None else header.high_bit
    if allocated not in (8, 16, 32) or not 1 <= stored <= high + 1 <= allocated:
        raise unreadable(
            one,
            "the pixels are stored in a way that cannot be",
            f"BitsAllocated {allocated}, BitsStored {stored}, HighBit {high}",
            "8, 16 or 32 bits allocated, and HighBit one less than BitsStored",
        )
    return Layout(bits_allocated=allocated, bits_stored=stored, high_bit=high, signed=signed)


def unreadable(one: Slice, finding: str, found: str | None = None, expected: str | None = None) -> UnreadableError:
    """The refusal of one slice's pixels."""
    again = "Transfer the series again, or export it uncompressed from the scanner or archive"
    return UnreadableError(finding, where=one.file.name, found=found, expected=expected, remedy=again)

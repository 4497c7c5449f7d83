"""DICOM files, little endian, taken apart and put together with elements that are not as they should be."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import numpy as np

_LONG = frozenset({b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UN", b"UT", b"UC", b"UR", b"SV", b"UV"})
_VRS = (b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"OB", b"OD", b"OF", b"OW",
        b"PN", b"SH", b"SL", b"SQ", b"SS", b"ST", b"TM", b"UI", b"UL", b"UN", b"US", b"UT", b"XX", b"\0\0")  # fmt: skip
_UNDEFINED = 0xFFFFFFFF
_LENGTHS = (0, 1, 2, 3, 0x7FFF, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFE, 0xFFFFFFF0, _UNDEFINED)
_VALUES = (
    b"", b"0", b"-1", b"nan", b"1e309", b"1e-320", b"0.0000001", b"99999", b"2147483648", b"1\\2", b"\\\\\\\\",
    b"0\\0\\0\\0\\0\\0", b"1\\0\\0\\1\\0\\0", b"abc ", b"CT", b"CT\\MR", b"9" * 400, b"x" * 70_000, b"\xff" * 16,
    b"\0" * 8, b"\x1b[31m\r\n", b"\xff\xff", b"\0\0", b"\x01\0", b"\x08\0", b"\x20\0", b"\x40\0", b"\xff\x7f",
    b"1.2.840.10008.1.2.5", b"1.2.840.10008.1.2.4.90", b"1.2.840.10008.1.2.4.57", b"1.2.840.10008.1.2.1.99",
)  # fmt: skip
_PATIENT = (0x0010, 0x0009)
_PATIENT_TAGS = frozenset({(0x0008, 0x0050), (0x0008, 0x0080), (0x0008, 0x0090)})


@dataclass(frozen=True)
class Element:
    """One element of the uppermost level, its value as bytes, its sequences unopened."""

    group: int
    number: int
    vr: bytes
    value: bytes
    length: int
    """As the file is to have it, right or wrong."""


def change_elements(content: bytes, rng: np.random.Generator) -> bytes:
    """One element or two: gone, doubled, elsewhere, or with another type, length, value, place or depth."""
    head, implicit, elements = _taken_apart(content)
    if not elements:
        return content
    for _ in range(int(rng.integers(1, 3))):
        at = int(rng.integers(len(elements)))
        kind = int(rng.integers(len(_CHANGES)))
        elements = _CHANGES[kind](elements, at, rng)
        if not elements:
            break
    return head + b"".join(_put_together(one, implicit) for one in elements)


def _taken_apart(content: bytes) -> tuple[bytes, bool, list[Element]]:
    start = 144 + int.from_bytes(content[140:144], "little")
    implicit = b"1.2.840.10008.1.2\0" in content[:start]
    elements, at = [], start
    while at + 8 <= len(content):
        group, number = struct.unpack_from("<HH", content, at)
        vr, length, at = _head(content, at + 4, implicit)
        end = min(len(content) if length == _UNDEFINED else at + length, len(content))
        elements.append(Element(group, number, vr, content[at:end], length))
        at = end
    return content[:start], implicit, elements


def _head(content: bytes, at: int, implicit: bool) -> tuple[bytes, int, int]:
    if implicit:
        return b"", int.from_bytes(content[at : at + 4], "little"), at + 4
    vr = content[at : at + 2]
    if vr in _LONG:
        return vr, int.from_bytes(content[at + 4 : at + 8], "little"), at + 8
    return vr, int.from_bytes(content[at + 2 : at + 4], "little"), at + 4


def _put_together(one: Element, implicit: bool) -> bytes:
    tag = struct.pack("<HH", one.group, one.number)
    length = one.length & _UNDEFINED
    if implicit:
        return tag + struct.pack("<I", length) + one.value
    if one.vr in _LONG:
        return tag + one.vr + b"\0\0" + struct.pack("<I", length) + one.value
    return tag + one.vr + struct.pack("<H", min(length, 0xFFFF)) + one.value


def _leave_out(elements, at, rng):
    return elements[:at] + elements[at + 1 :]


def _double(elements, at, rng):
    return [*elements[:at], elements[at], *elements[at:]]


def _move(elements, at, rng):
    left = _leave_out(elements, at, rng)
    to = int(rng.integers(len(left) + 1))
    return [*left[:to], elements[at], *left[to:]]


def _retype(elements, at, rng):
    return _with(elements, at, vr=_VRS[int(rng.integers(len(_VRS)))])


def _misstate_length(elements, at, rng):
    near = elements[at].length + int(rng.integers(-4, 5))
    return _with(
        elements, at, length=max(near, 0) if rng.random() < 0.4 else _LENGTHS[int(rng.integers(len(_LENGTHS)))]
    )


def _revalue(elements, at, rng):
    value = _VALUES[int(rng.integers(len(_VALUES)))]
    return _with(elements, at, value=value, length=len(value))


def _swap_value(elements, at, rng):
    """Another element's value, but none of the patient's: those may stand where they are alone."""
    others = [one for one in elements if one.group not in _PATIENT and (one.group, one.number) not in _PATIENT_TAGS]
    if not others:
        return elements
    other = others[int(rng.integers(len(others)))]
    return _with(elements, at, value=other.value, length=other.length)


def _wide_number(elements, at, rng):
    value = struct.pack("<H", int(rng.choice([0, 1, 2, 8, 12, 13, 32, 64, 255, 4096, 0x7FFF, 0xFFFF])))
    return _with(elements, at, value=value, length=2)


def _nest(elements, at, rng):
    """Sequences within sequences, ended or not."""
    depth = int(rng.choice([1, 5, 50, 400, 3000]))
    opened = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff"
    closed = b"\xfe\xff\xdd\xe0\0\0\0\0" + b"\xfe\xff\x0d\xe0\0\0\0\0"
    value = opened * depth + (closed * depth + b"\xfe\xff\xdd\xe0\0\0\0\0" if rng.random() < 0.5 else b"")
    number = (0x1140, 0x9228)[int(rng.integers(2))]
    group = 0x0008 if number == 0x1140 else 0x5200
    return [*elements[:at], Element(group, number, b"SQ", value, _UNDEFINED), *elements[at:]]


def _with(elements, at, **changes):
    return [*elements[:at], replace(elements[at], **changes), *elements[at + 1 :]]


_CHANGES = (_leave_out, _double, _move, _retype, _misstate_length, _revalue, _revalue, _swap_value, _wide_number, _nest)

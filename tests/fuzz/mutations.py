"""Sound files to unsound ones: by the byte, by the element, by the field, by the line."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .elements import change_elements
from .seeds import Seed, neighbours, seeds

ODD_NUMBERS = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
ODD_FLOATS = (0.0, -0.0, 1e-30, -1.0, 1e30, -1e30, float("nan"), float("inf"), float("-inf"), 0.5, 32767.0)
ODD_TEXTS = (b"", b"nan", b"inf", b"-1", b"0", b"1e308", b"4294967296", b"99999999999", b"x", b"(1,2", b"(nan,0,0)",
             b"../../etc/passwd", b"LIST", b"%d", b"\xff\xfe\x00", b"\x1b[31m", b"1 2", b"a" * 5000)  # fmt: skip

_SEEDS = seeds()
_NEIGHBOURS = neighbours()
_NIFTI1 = {"dim": (40, "h", 8), "datatype": (70, "h", 1), "bitpix": (72, "h", 1), "pixdim": (76, "f", 8),
           "vox_offset": (108, "f", 1), "scl": (112, "f", 2), "xyzt": (123, "B", 1), "codes": (252, "h", 2),
           "quatern": (256, "f", 6), "srow": (280, "f", 12), "sizeof": (0, "i", 1), "magic": (344, "B", 4)}  # fmt: skip
_NIFTI2 = {"dim": (16, "q", 8), "datatype": (12, "h", 1), "pixdim": (104, "d", 8), "vox_offset": (168, "q", 1),
           "scl": (176, "d", 2), "codes": (344, "i", 2), "quatern": (352, "d", 6), "srow": (400, "d", 12),
           "sizeof": (0, "i", 1), "xyzt": (500, "i", 1)}  # fmt: skip
_Change = Callable[[bytes, np.random.Generator], bytes]


class Mutant(NamedTuple):
    """What is given to the reader."""

    files: dict[str, bytes]
    """By name; one is the mutated one."""
    target: str
    """The one to read: a file's name, or `.` for their folder."""
    recipe: str
    """Which file was mutated, and how."""


def mutant(seed: int, number: int) -> Mutant:
    """The mutant of that number: always the same."""
    rng = np.random.default_rng([seed, number])
    base = _SEEDS[number % len(_SEEDS)]
    content, recipe = base.content, [base.name]
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        change = _pick(rng, _CHANGES[base.kind] + _BYTES)
        content = change(content, rng)
        recipe.append(change.__name__.strip("_"))
    files = {base.name: content}
    if base.name == "explicit.dcm" and rng.random() < 0.5:
        return Mutant(files | _NEIGHBOURS, ".", ", ".join([*recipe, "among its series"]))
    return Mutant(files, base.name, ", ".join(recipe))


def flip_bits(content: bytes, rng: np.random.Generator) -> bytes:
    """A few bits anywhere."""
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 8))):
        if changed:
            changed[int(rng.integers(len(changed)))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    """The end is missing."""
    return content[: int(rng.integers(len(content) + 1))]


def lose(content: bytes, rng: np.random.Generator) -> bytes:
    """A piece in the middle is missing."""
    start = int(rng.integers(len(content) + 1))
    return content[:start] + content[start + int(rng.integers(1, 64)) :]


def repeat(content: bytes, rng: np.random.Generator) -> bytes:
    """A piece is there twice."""
    start = int(rng.integers(len(content) + 1))
    end = start + int(rng.integers(1, 256))
    return content[:end] + content[start:end] + content[end:]


def overwrite(content: bytes, rng: np.random.Generator) -> bytes:
    """An odd number in place of some bytes."""
    form, size = [("<I", 4), (">I", 4), ("<H", 2)][int(rng.integers(3))]
    number = _pick(rng, ODD_NUMBERS) & ((1 << (8 * size)) - 1)
    at = int(rng.integers(min(max(len(content) - size, 1), 2048)))
    return content[:at] + struct.pack(form, number) + content[at + size :]


def noise(content: bytes, rng: np.random.Generator) -> bytes:
    """Nothing but noise after some place."""
    kept = content[: int(rng.integers(len(content) + 1))]
    return kept + rng.bytes(len(content) - len(kept))


def fields(content: bytes, rng: np.random.Generator) -> bytes:
    """A field of a NIfTI header."""
    packed = content[:2] == b"\x1f\x8b"
    try:
        plain = bytearray(gzip.decompress(content) if packed else content)
    except (OSError, EOFError, zlib.error):
        return content
    if len(plain) < 600:
        return content
    table = _NIFTI2 if plain[4:7] == b"n+2" else _NIFTI1
    start, form, count = table[_pick(rng, sorted(table))]
    size = struct.calcsize(form)
    for place in range(count) if rng.random() < 0.3 else [int(rng.integers(count))]:
        plain[start + place * size : start + (place + 1) * size] = _packed(form, rng)
    return gzip.compress(bytes(plain), mtime=0) if packed else bytes(plain)


def lines(content: bytes, rng: np.random.Generator) -> bytes:
    """A line of a NRRD or MetaImage header: gone, doubled, or with an odd value."""
    rows = content.split(b"\n")
    at = int(rng.integers(min(16, len(rows))))
    mark = b":" if b":" in rows[at] else b"="
    name, _, value = rows[at].partition(mark)
    words = value.split() or [b""]
    words[int(rng.integers(len(words)))] = _pick(rng, ODD_TEXTS)
    kind = rng.random()
    odd = name + mark + b" " + b" ".join(words)
    rows[at : at + 1] = [] if kind < 0.15 else [rows[at], odd] if kind < 0.3 else [odd]
    return b"\n".join(rows)


def huge_sizes(content: bytes, rng: np.random.Generator) -> bytes:
    """The largest sizes that a header can hold, in a NRRD or MetaImage file."""
    size = _pick(rng, (b"32767", b"2147483647", b"4294967295", b"65536", b"-5", b"0"))
    return content.replace(b"16 12 4", b" ".join([size] * 3), 1)


def members(content: bytes, rng: np.random.Generator) -> bytes:
    """A zip whose members are mutated, with sound checksums."""
    buffer = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
            for member in old.infolist():
                inside = old.read(member)
                new.writestr(member.filename, _pick(rng, _BYTES)(inside, rng) if rng.random() < 0.4 else inside)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, RuntimeError, NotImplementedError):
        return content
    return buffer.getvalue()


def deflated(content: bytes, rng: np.random.Generator) -> bytes:
    """A deflated DICOM file, mutated before it was deflated."""
    length = int.from_bytes(content[140:144], "little")
    try:
        inside = zlib.decompress(content[144 + length :], -15)
    except zlib.error:
        return content
    packer = zlib.compressobj(wbits=-15)
    return content[: 144 + length] + packer.compress(_pick(rng, _BYTES)(inside, rng)) + packer.flush()


def _packed(form: str, rng: np.random.Generator) -> bytes:
    if form in "fd":
        return struct.pack("<" + form, _pick(rng, ODD_FLOATS))
    size = 8 * struct.calcsize(form)
    number = _pick(rng, (*ODD_NUMBERS, 3, 4, 5, 8, 16, 64, 128, 256, 512, 768, 1 << 40, 1 << 62)) & ((1 << size) - 1)
    return number.to_bytes(size // 8, "little")


def _pick(rng, choices):
    return choices[int(rng.integers(len(choices)))]


_BYTES: list[_Change] = [flip_bits, cut, lose, repeat, overwrite, noise]
_CHANGES: dict[str, list[_Change]] = {
    "elements": [change_elements] * 12,
    "dicom": [members, deflated],
    "nifti": [fields] * 12,
    "text": [*[lines] * 10, huge_sizes],
}


def seed_of(name: str) -> Seed:
    """The sound file of a name."""
    return next(one for one in _SEEDS if one.name == name)

"""The lines of NRRD and MetaImage headers: where the voxels are, and what ITK would pass over or silently assume."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from transforms.errors import GeometryError, UnreadableError
from transforms.reading.voxel_file import Packing, is_gzip, unreadable

HEADER_BYTES = 1 << 20
"""A header that has not ended by then is none."""

LONGEST_FIELD = 512
"""Longer fields of a NRRD header write beyond a buffer of ITK; those that place a volume take 300 characters."""

NRRD_SPACES = frozenset(
    name + time
    for name in ("left-posterior-superior", "right-anterior-superior", "left-anterior-superior", "lps", "ras", "las")
    for time in ("", "-time", "t")
)
"""Spaces of patients that ITK turns into its own, in lower case; of others it takes the numbers as they are."""

_LONGEST_SHOWN = 60
_NRRD_PACKING: dict[str, Packing] = {"raw": "raw", "gzip": "gzip", "gz": "gzip"}
_NRRD_ORDER: dict[str, Literal["<", ">"]] = {"little": "<", "big": ">"}
_META_ORDER: dict[str, Literal["<", ">"]] = {"false": "<", "true": ">"}


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """Where the voxels are."""

    path: Path
    start: int
    """Where in the file they, or the packed stream with them, begin, bytes."""
    packing: Packing
    order: Literal["<", ">"] | None
    """Their byte order; `None` where the header does not say."""


def data_file(path: Path) -> DataFile:
    """Where the voxels of a `.nrrd`, `.mha` or `.mhd` file are, from its header.

    Raises:
        UnreadableError: When the file is of another kind, or its voxels are stored in a way that is not read.
        GeometryError: When the header does not say where the volume lies, or says so in terms that ITK ignores.
    """
    content = _start_of(path)
    return _nrrd(path, content) if content.startswith(b"NRRD") else _metaimage(path, content)


def check_harmless(path: Path) -> None:
    """Refuses headers that crash ITK, and with it the process; to be asked before ITK is.

    Raises:
        UnreadableError: For a NRRD field that is longer than any, a MetaImage of more dimensions than there are.
    """
    content = _start_of(path)
    if content.startswith(b"NRRD"):
        fields = (row for row in content[: _end_of_nrrd(content)].splitlines() if row[:1] != b"#" and b":=" not in row)
        harmless = all(len(field) <= LONGEST_FIELD for field in fields)
    else:
        dimensions = re.findall(rb"^\s*NDims\s*=\s*(.*?)\s*$", content, re.MULTILINE | re.IGNORECASE)
        harmless = all(re.fullmatch(rb"\d", found) for found in dimensions)
    if not harmless:
        raise unreadable(path, "the file cannot be read: its header is corrupt")


def _start_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEADER_BYTES)


def _end_of_nrrd(content: bytes) -> int:
    blank = re.search(rb"\n\r?\n", content)
    return blank.end() if blank else len(content)


def _nrrd(path: Path, content: bytes) -> DataFile:
    end = _end_of_nrrd(content)
    fields = _fields(content[:end], r"^([A-Za-z][A-Za-z ]*): (.*)$")
    _check_given(path, fields, {"space": ("space",), "space directions": ("spacedirections",),
                                "space origin": ("spaceorigin",)})  # fmt: skip
    _check_terms(path, "space", fields["space"], NRRD_SPACES)
    for unit in re.findall(r'"([^"]*)"', fields.get("spaceunits", "")):
        _check_terms(path, "space units", unit, {"mm", "millimeter", "millimeters", "millimetre", ""})
    encoding = fields.get("encoding", "").lower()
    skipped = any(fields.get(name, "0") != "0" for name in ("lineskip", "byteskip"))
    if encoding not in _NRRD_PACKING or skipped:
        raise _storage(path, f"encoding {_shown(encoding)}" + ", skips" * skipped, "raw or gzip, without skips")
    detached = fields.get("datafile")
    return DataFile(
        path=_beside(path, detached) if detached else path,
        start=0 if detached else end,
        packing=_NRRD_PACKING[encoding],
        order=_NRRD_ORDER.get(fields.get("endian", "").lower()),
    )


def _metaimage(path: Path, content: bytes) -> DataFile:
    last = re.search(rb"^ElementDataFile[ \t]*=[ \t]*([^\r\n]*)\r?(\n|\Z)", content, re.MULTILINE | re.IGNORECASE)
    if last is None:
        raise unreadable(path, "the file cannot be read: it is cut short, corrupt or of another kind")
    fields = _fields(content[: last.end()], r"^\s*(\w+)\s*=\s*(.*?)\s*$")
    _check_given(
        path,
        fields,
        {
            "ElementSpacing": ("elementspacing", "elementsize"),
            "Offset": ("offset", "origin", "position"),
            "TransformMatrix": ("transformmatrix", "rotation", "orientation"),
        },
    )
    _check_terms(path, "DistanceUnits", fields.get("distanceunits", "mm"), {"mm"})
    if fields.get("binarydata", "true").lower() != "true" or fields.get("headersize", "0") != "0":
        raise _storage(path, "text, or a header of another kind before them", "BinaryData = True, HeaderSize = 0")
    detached = last[1].decode("latin-1").strip()
    inside = detached.upper() == "LOCAL"
    file, start = (path, last.end()) if inside else (_beside(path, detached), 0)
    packed: Packing = "gzip" if is_gzip(file, start) else "zlib"
    return DataFile(
        path=file,
        start=start,
        packing=packed if fields.get("compresseddata", "false").lower() == "true" else "raw",
        order=_META_ORDER.get(fields.get("binarydatabyteordermsb", fields.get("elementbyteordermsb", "")).lower()),
    )


def _fields(header: bytes, line: str) -> dict[str, str]:
    found = re.findall(line, header.decode("latin-1").replace("\r\n", "\n"), re.MULTILINE)
    return {name.lower().replace(" ", ""): value.strip() for name, value in found}


def _check_given(path: Path, fields: Mapping[str, str], wanted: Mapping[str, Sequence[str]]) -> None:
    missing = [name for name, spellings in wanted.items() if not any(spelling in fields for spelling in spellings)]
    if missing:
        raise GeometryError(
            "the header does not say where the volume lies",
            where=path,
            found="no " + ", no ".join(missing),
            expected=", ".join(wanted),
            remedy="Convert the series again from its DICOM files, or give those",
        )


def _check_terms(path: Path, name: str, found: str, known: frozenset[str] | set[str]) -> None:
    if found.lower() not in known:
        raise GeometryError(
            "the header gives the volume's place in terms that are not known here",
            where=path,
            found=f"{name} {_shown(found)}",
            expected="millimetres, left-posterior-superior or right-anterior-superior",
            remedy="Convert the series again from its DICOM files, or give those",
        )


def _beside(path: Path, name: str) -> Path:
    """The file of the voxels; only one, and only from the header's own folder or below it."""
    if not name or name.upper().startswith("LIST") or "%" in name:
        raise _storage(path, "several files of voxels", "one file")
    folder = path.parent.resolve()
    try:
        file = (folder / name).resolve()
        if not file.is_relative_to(folder):
            raise _storage(path, "voxels in another folder", "a file beside the header")
        if file.is_file():
            return file
    except (OSError, ValueError) as error:  # no name that a file may have
        raise _no_voxels(path, name) from error
    raise _no_voxels(path, name)


def _no_voxels(path: Path, name: str) -> UnreadableError:
    return UnreadableError(
        "the file of the voxels is missing", where=path, found=f"no {_shown(name)} beside it", remedy="Copy both files"
    )


def _shown(text: str) -> str:
    """What a header holds, as it may stand in a message."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:_LONGEST_SHOWN])


def _storage(path: Path, found: str, expected: str) -> UnreadableError:
    return UnreadableError(
        "the voxels are stored in a way that is not read",
        where=path,
        found=found,
        expected=expected,
        remedy="Convert the file to .nii.gz",
    )

"""What a file is, from its name and its first bytes. Imports nothing heavy: the command line needs it."""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path
from typing import Literal

VolumeFormat = Literal["nifti", "nrrd", "metaimage"]

VOLUME_SUFFIXES: dict[str, VolumeFormat] = {
    ".nii.gz": "nifti",
    ".nii": "nifti",
    ".nrrd": "nrrd",
    ".mha": "metaimage",
    ".mhd": "metaimage",
}
"""Endings of files that hold one volume, in lower case."""

DICOM_SUFFIXES = frozenset({".dcm", ".dicom", ".ima"})
"""Endings that promise a DICOM file; a DICOM file needs none of them."""

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})
"""Endings of pictures of single slices, in lower case."""

_PREAMBLE = 128
_HEAD = 140
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x02", b"\x00\x08")
_NEVER_DICOM = re.compile(
    r"\.(png|jpe?g|gif|tiff?|txt|csv|tsv|json|ya?ml|xml|html?|md|pdf|py|gz|nii|nrrd|mha|mhd|raw|zip|pt)$", re.IGNORECASE
)


def volume_format(path: str | PathLike[str]) -> VolumeFormat | None:
    """The format that a file's name promises, or `None` when it is no volume file."""
    name = Path(path).name.lower()
    return next((kind for suffix, kind in VOLUME_SUFFIXES.items() if name.endswith(suffix)), None)


def is_image(path: str | PathLike[str]) -> bool:
    """Whether a file's name says that it is a picture of one slice."""
    return Path(path).suffix.lower() in IMAGE_SUFFIXES


def stem(path: str | PathLike[str]) -> str:
    """A file's name without the ending of its format: `a/b.nii.gz` is `b`."""
    name = Path(path).name
    endings = (*VOLUME_SUFFIXES, *DICOM_SUFFIXES, *IMAGE_SUFFIXES, ".zip")
    ending = next((suffix for suffix in endings if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(ending)] or name


def is_zip(path: str | PathLike[str]) -> bool:
    """Whether a file's name says that it is a zip archive."""
    return Path(path).name.lower().endswith(".zip")


def is_hidden(path: str | PathLike[str]) -> bool:
    """Whether a name is one that file managers leave behind (`.DS_Store`, `._1.dcm`, `__MACOSX`)."""
    name = Path(path).name
    return name.startswith(".") or name in {"__MACOSX", "Thumbs.db", "desktop.ini"}


def is_index(path: str | PathLike[str]) -> bool:
    """Whether a name is that of the index of a DICOM disc."""
    return Path(path).name.upper() == "DICOMDIR"


def is_dicom(path: str | PathLike[str]) -> bool:
    """Whether a file's first bytes are those of a DICOM object; a DICOMDIR, an index, is none.

    Files without preamble are taken when they start with a data element of group 2 or 8.
    """
    if is_index(path) or _NEVER_DICOM.search(Path(path).name):
        return False
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    return head[_PREAMBLE : _PREAMBLE + 4] == b"DICM" or _starts_with_an_element(head)


def _starts_with_an_element(head: bytes) -> bool:
    if len(head) < 16 or head[:2] not in _FIRST_GROUPS:
        return False
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    implicit_length = int.from_bytes(head[4:8], "little")
    return explicit or implicit_length <= 256

"""What a NIfTI header says, as it is in the file: nothing is mended silently."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np

from transforms.errors import GeometryError, UnreadableError
from transforms.reading.nifti_place import place_of
from transforms.reading.volume import Affine
from transforms.reading.voxels import check_real

HEADER_BYTES = 540
"""As much as the longer of the two kinds of header takes."""

_KINDS: dict[int, tuple[Callable[..., nib.Nifti1Header], int, bytes]] = {
    348: (nib.Nifti1Header, 344, b"n+1\0"),
    540: (nib.Nifti2Header, 4, b"n+2\0\r\n\x1a\n"),
}
"""By the length of the header: its class, and the place and text of what marks header and voxels in one file."""

_ORDERS: tuple[tuple[Literal["little", "big"], str], ...] = (("little", "<"), ("big", ">"))


@dataclass(frozen=True, kw_only=True)
class NiftiHeader:
    """A header that has been checked."""

    shape: tuple[int, int, int]
    stored: np.dtype[Any]
    """The type in the file, with its byte order."""
    offset: int
    """Where the voxels begin, bytes."""
    scaling: tuple[float, float] | None
    """Slope and intercept; `None` where the stored values are the values."""
    affine: Affine
    """`(4, 4)`, RAS+ millimetres."""
    repairs: tuple[str, ...]


def parse_header(content: bytes, path: Path) -> NiftiHeader:
    """Parses and checks the first :data:`HEADER_BYTES` of a file, uncompressed.

    Raises:
        UnreadableError: When they are no NIfTI header, or voxels of that type or place cannot be read.
        GeometryError: When the file holds several volumes, or its place in the patient cannot be trusted.
    """
    header = _header(content, path)
    shape = _shape(header, path)
    affine, repairs = place_of(header, shape, path)
    return NiftiHeader(
        shape=shape,
        stored=_stored(header, path),
        offset=_offset(header, path),
        scaling=_scaling(header, path),
        affine=affine,
        repairs=repairs,
    )


def _header(content: bytes, path: Path) -> nib.Nifti1Header:
    for order, mark in _ORDERS:
        size = int.from_bytes(content[:4], order)
        if size in _KINDS and len(content) >= size:
            kind, at, magic = _KINDS[size]
            if content[at : at + len(magic)] == magic:
                return kind(content[:size], endianness=mark, check=False)
    pair = content[344:348] == b"ni1\0" or content[4:8] == b"ni2\0"
    raise UnreadableError(
        "the file is not a NIfTI volume",
        where=path,
        found="half of a pair of .hdr and .img" if pair else None,
        expected="header and voxels in one file" if pair else None,
        remedy="Convert the pair to one .nii.gz" if pair else "Copy or convert the file again",
    )


def _shape(header: nib.Nifti1Header, path: Path) -> tuple[int, int, int]:
    axes, *sizes = (int(size) for size in header["dim"])
    sizes = sizes[: max(axes, 0)]
    if not 3 <= axes <= 7 or min(sizes) < 1 or any(size != 1 for size in sizes[3:]):
        raise GeometryError(
            "the file does not hold one volume",
            where=path,
            found=f"shape {' x '.join(map(str, sizes))}" if 1 <= axes <= 7 else f"{axes} axes",
            expected="three axes X x Y x Z",
            remedy="Split it into one file a volume",
        )
    return sizes[0], sizes[1], sizes[2]


def _stored(header: nib.Nifti1Header, path: Path) -> np.dtype[Any]:
    try:
        stored: np.dtype[Any] = np.dtype(header.get_data_dtype())
    except (KeyError, nib.spatialimages.HeaderDataError) as error:
        raise UnreadableError(
            "the voxels are of no known type",
            where=path,
            found=f"datatype {int(header['datatype'])}",
            expected="integers or floating point",
            remedy="Store the volume as int16 or float32 Hounsfield units",
        ) from error
    check_real(stored, path)
    return stored


def _offset(header: nib.Nifti1Header, path: Path) -> int:
    offset, least = float(header["vox_offset"]), int(header["sizeof_hdr"]) + 4
    if offset == 0:
        return least  # the standard's own default
    if not (offset >= least and offset.is_integer()):
        raise UnreadableError(
            "the header does not say where the voxels begin",
            where=path,
            found=f"vox_offset {offset:g}",
            expected=f"at least {least}",
            remedy="Convert the file again",
        )
    return int(offset)


def _scaling(header: nib.Nifti1Header, path: Path) -> tuple[float, float] | None:
    """By the standard a slope of 0 means no scaling; NaN is what nibabel writes for none."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or np.isnan(slope) or (slope, intercept) == (1, 0):
        return None
    if not np.isfinite(slope + intercept):
        raise UnreadableError(
            "the header does not say how to scale the voxels",
            where=path,
            found=f"scl_slope {slope:g}, scl_inter {intercept:g}",
            expected="finite numbers",
            remedy="Convert the file again",
        )
    return slope, intercept

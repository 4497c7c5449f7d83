"""A NIfTI header for people: as it is, be it right or wrong."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from pipeline.inspection.results import FileInspection

_LONGEST_HEADER = 540
_KINDS: dict[int, type[nib.Nifti1Header]] = {348: nib.Nifti1Header, 540: nib.Nifti2Header}


def nifti_facts(path: Path) -> FileInspection | None:
    """What the header says; `None` where there is none."""
    header = _header(path)
    if header is None:
        return None
    axes = min(max(int(header["dim"][0]), 0), 7)
    return FileInspection(
        shape=tuple(int(size) for size in header["dim"][1 : 1 + axes]),
        spacing_mm=tuple(round(float(edge), 4) for edge in header["pixdim"][1:4] if math.isfinite(edge)),
        orientation=_orientation(header),
        stored_type=_stored_type(header),
        units=_units(header),
        qform_code=int(header["qform_code"]),
        sform_code=int(header["sform_code"]),
        slope=_number(header["scl_slope"]),
        intercept=_number(header["scl_inter"]),
    )


def _header(path: Path) -> nib.Nifti1Header | None:
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            content = file.read(_LONGEST_HEADER)
    except (OSError, EOFError, zlib.error):
        return None
    for size, kind in _KINDS.items():
        marks = {size.to_bytes(4, "little"): "<", size.to_bytes(4, "big"): ">"}
        if content[:4] in marks and len(content) >= size:
            return kind(content[:size], endianness=marks[content[:4]], check=False)
    return None


def _orientation(header: nib.Nifti1Header) -> str:
    try:
        placed = header.get_sform(coded=True)[0]
        affine = header.get_qform(coded=True)[0] if placed is None else placed
    except (HeaderDataError, ValueError):
        return ""
    if affine is None or not np.isfinite(affine).all():
        return ""
    return "".join(code or "?" for code in nib.aff2axcodes(affine))


def _stored_type(header: nib.Nifti1Header) -> str:
    try:
        return str(np.dtype(header.get_data_dtype()).newbyteorder("="))
    except (KeyError, HeaderDataError):
        return f"datatype {int(header['datatype'])}"


def _units(header: nib.Nifti1Header) -> str:
    try:
        return str(header.get_xyzt_units()[0])
    except KeyError:
        return "unknown"


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None

"""NIfTI files: header by nibabel, voxels decoded piece by piece into one array."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any, BinaryIO, cast

import nibabel as nib
import numpy as np
import numpy.typing as npt
from isal import igzip, isal_zlib
from nibabel.spatialimages import HeaderDataError

from transforms.errors import GeometryError, UnreadableError
from transforms.reading.affines import check_affine, corner_distance_mm
from transforms.reading.volume import Affine, FileVolume, Voxels
from transforms.reading.voxels import check_real, to_target

QFORM_SFORM_TOLERANCE_MM = 0.1
"""Where both are set, no corner of the volume may be moved further than this between qform and sform."""

DEFLATE_MAX_RATIO = 1100
"""Deflate cannot pack tighter (1032 : 1): a header that asks for more than this lies about the file."""

PIECE_VOXELS = 4 << 20
"""Voxels decoded at a time."""

_UNIT_MM = {1: (1000.0, "metres"), 3: (0.001, "micrometres")}
_BROKEN: tuple[type[Exception], ...] = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    zlib.error,
    cast(type[Exception], isal_zlib.error),
    nib.filebasedimages.ImageFileError,
    HeaderDataError,
)


def read_nifti(path: Path, *, smallest: bool) -> FileVolume:
    """Reads a `.nii` or `.nii.gz` file.

    The affine follows nibabel's rule: the sform where its code is above 0, else the qform. Where both are set they must
    agree; where neither is, nothing says which side is left, and the file is refused.

    Args:
        path: The file.
        smallest: Take `int16` where all values are integers that fit, else `float32`.

    Raises:
        UnreadableError: When the file is no NIfTI, cut short or corrupt.
        GeometryError: When it holds several volumes, or its place in the patient cannot be trusted.
    """
    image = _open(path)
    shape = _spatial_shape(image, path)
    check_real(image.get_data_dtype(), path)
    affine, repairs = _affine(image.header, shape, path)
    check_affine(affine, path)
    return FileVolume(_voxels(image, shape, path, smallest), affine, repairs)


def _open(path: Path) -> nib.Nifti1Image:
    try:
        image = nib.load(path)
    except _BROKEN as error:
        raise _unreadable(path, f"the file is not a NIfTI volume: {_kind(error)}") from error
    if not isinstance(image, nib.Nifti1Image):
        raise _unreadable(path, "the file is not a NIfTI volume")
    return image


def _spatial_shape(image: nib.Nifti1Image, path: Path) -> tuple[int, int, int]:
    shape = tuple(int(size) for size in image.shape)
    if len(shape) < 3 or min(shape) < 1 or any(size != 1 for size in shape[3:]):
        raise GeometryError(
            "the file does not hold one volume",
            where=path,
            found=f"shape {' x '.join(map(str, shape))}",
            expected="three axes X x Y x Z",
            remedy="Split it into one file a volume",
        )
    return shape[0], shape[1], shape[2]


def _affine(header: nib.Nifti1Header, shape: tuple[int, int, int], path: Path) -> tuple[Affine, tuple[str, ...]]:
    try:
        sform, qform = header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]
    except HeaderDataError as error:
        raise GeometryError(
            "the qform is not a rotation", where=path, remedy="Convert the volume again with qform and sform set"
        ) from error
    if sform is None and qform is None:
        raise GeometryError(
            "the header does not say where the volume lies, nor which side is left",
            where=path,
            found="qform_code 0 and sform_code 0",
            expected="one of them above 0",
            remedy="Convert the series again from its DICOM files, or give those",
        )
    affine = np.asarray(qform if sform is None else sform, dtype=np.float64)
    if sform is not None and qform is not None:
        _check_agreement(affine, np.asarray(qform, dtype=np.float64), shape, path)
    factor, unit = _UNIT_MM.get(int(header["xyzt_units"]) & 7, (1.0, ""))
    affine[:3] *= factor
    return affine, (f"The header's lengths are in {unit}: they were converted to millimetres.",) if unit else ()


def _check_agreement(sform: Affine, qform: Affine, shape: tuple[int, int, int], path: Path) -> None:
    apart = corner_distance_mm(sform, qform, shape)
    if not apart <= QFORM_SFORM_TOLERANCE_MM:
        raise GeometryError(
            "qform and sform contradict each other",
            where=path,
            found=f"corners {apart:.3g} mm apart",
            expected=f"at most {QFORM_SFORM_TOLERANCE_MM} mm",
            remedy="Set the code of the wrong one to 0, or convert the series again from its DICOM files",
        )


def _voxels(image: nib.Nifti1Image, shape: tuple[int, int, int], path: Path, smallest: bool) -> Voxels:
    proxy: Any = image.dataobj
    count, stored = int(np.prod(shape, dtype=np.int64)), np.dtype(proxy.dtype)
    _check_claim(path, proxy.offset + count * stored.itemsize)
    plain = (proxy.slope, proxy.inter) == (1.0, 0.0)
    fits = plain and stored.kind in "iu" and np.can_cast(stored, np.int16)
    out: npt.NDArray[Any] = np.empty(count, dtype=np.int16 if smallest and fits else np.float32)
    try:
        with _stream(path) as stream:
            stream.seek(proxy.offset)
            _decode(stream, out, stored, None if plain else (float(proxy.slope), float(proxy.inter)))
    except _BROKEN as error:
        raise _unreadable(path, f"the voxels cannot be read: {_kind(error)}") from error
    return to_target(out.reshape(shape, order="F"), smallest=smallest)


def _decode(
    stream: BinaryIO, out: npt.NDArray[Any], stored: np.dtype[Any], scaling: tuple[float, float] | None
) -> None:
    for start in range(0, out.size, PIECE_VOXELS):
        piece = out[start : start + PIECE_VOXELS]
        raw = stream.read(piece.size * stored.itemsize)
        if len(raw) < piece.size * stored.itemsize:
            raise EOFError("the file ends before its voxels do")
        values = np.frombuffer(raw, dtype=stored)
        piece[:] = values if scaling is None else values * np.float64(scaling[0]) + scaling[1]
    while stream.read(1 << 20):  # to the end, so that a gzip file's checksum is looked at
        pass


def _stream(path: Path) -> BinaryIO:
    return cast(BinaryIO, igzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb"))


def _check_claim(path: Path, needed: int) -> None:
    size = path.stat().st_size
    possible = size * DEFLATE_MAX_RATIO if path.name.lower().endswith(".gz") else size
    if needed > possible:
        raise _unreadable(path, "the file is shorter than its header says", f"{size} bytes", f"room for {needed} bytes")


def _kind(error: BaseException) -> str:
    return "it is cut short" if isinstance(error, EOFError) else "it is corrupt or of another kind"


def _unreadable(path: Path, finding: str, found: str | None = None, expected: str | None = None) -> UnreadableError:
    return UnreadableError(finding, where=path, found=found, expected=expected, remedy="Copy or convert the file again")

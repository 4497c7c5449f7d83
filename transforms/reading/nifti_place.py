"""Where a NIfTI volume lies in the patient: qform, sform, voxel edges and units, and whether they agree."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from transforms.errors import GeometryError
from transforms.reading.affines import check_affine, corner_distance_mm
from transforms.reading.volume import Affine

QFORM_SFORM_TOLERANCE_MM = 0.1
"""Where both are set, no corner of the volume may be moved further than this between qform and sform."""

PIXDIM_TOLERANCE = 0.01
"""The voxel edges of the sform and those of `pixdim` may differ by this share: rounding does, resampling more."""

MAX_CODE = 5
"""The largest qform_code and sform_code that the standard knows."""

_UNIT_MM = {1: (1000.0, "metres"), 3: (0.001, "micrometres")}
_MILLIMETRES = 2


def place_of(header: nib.Nifti1Header, shape: tuple[int, int, int], path: Path) -> tuple[Affine, tuple[str, ...]]:
    """The affine, RAS+ millimetres, and sentences about what was put right.

    The rule is nibabel's: the sform where its code is above 0, else the qform. Where both are set they must agree;
    where neither is, nothing says which side is left, and the file is refused.

    Raises:
        GeometryError: When the place cannot be trusted.
    """
    sform, qform = _sform(header, path), _qform(header, path)
    affine = qform if sform is None else sform
    if affine is None:
        raise _refusal(
            "the header does not say where the volume lies, nor which side is left",
            path,
            found="qform_code 0 and sform_code 0",
            expected="one of them above 0",
        )
    factor, said = _to_millimetres(header)
    affine[:3] *= factor
    check_affine(affine, path)
    if sform is not None and qform is not None:
        qform[:3] *= factor
        _check_agreement(sform, qform, shape, path)
    elif sform is not None:
        said = (*said, *_check_edges(header, sform / factor, path))
    return affine, said


def _sform(header: nib.Nifti1Header, path: Path) -> Affine | None:
    _check_code(header, "sform_code", path)
    sform = header.get_sform(coded=True)[0]
    return None if sform is None else np.asarray(sform, dtype=np.float64)


def _qform(header: nib.Nifti1Header, path: Path) -> Affine | None:
    _check_code(header, "qform_code", path)
    if header["pixdim"][0] == 0:
        header["pixdim"][0] = 1  # the standard's own default
    try:
        qform = header.get_qform(coded=True)[0]
    except (HeaderDataError, ValueError) as error:
        raise _refusal("the qform is not a rotation with voxel edges", path) from error
    return None if qform is None else np.asarray(qform, dtype=np.float64)


def _check_code(header: nib.Nifti1Header, name: str, path: Path) -> None:
    code = int(header[name])
    if not 0 <= code <= MAX_CODE:
        raise _refusal("the header's coordinates are of no known kind", path, f"{name} {code}", f"0 to {MAX_CODE}")


def _to_millimetres(header: nib.Nifti1Header) -> tuple[float, tuple[str, ...]]:
    unit = int(header["xyzt_units"]) & 7
    if unit == _MILLIMETRES:
        return 1.0, ()
    if unit not in _UNIT_MM:  # of all units only millimetres make a CT's voxels of these numbers: see check_affine
        return 1.0, ("The header does not name the unit of its lengths: they were taken as millimetres.",)
    factor, name = _UNIT_MM[unit]
    return factor, (f"The header's lengths are in {name}: they were converted to millimetres.",)


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


def _check_edges(header: nib.Nifti1Header, sform: Affine, path: Path) -> tuple[str, ...]:
    """Compares the sform with `pixdim`, in the header's own unit, unless `pixdim` was never filled in."""
    edges = np.linalg.norm(sform[:3, :3], axis=0)
    stated = np.asarray(header["pixdim"][1:4], dtype=np.float64)
    if np.allclose(stated, edges, rtol=PIXDIM_TOLERANCE, atol=0):
        return ()
    if np.all(stated == 0) or np.all(stated == 1):
        return ("The header's pixdim is not filled in: the voxel size is that of the sform.",)
    raise _refusal(
        "sform and pixdim contradict each other",
        path,
        found=" x ".join(f"{edge:.4g}" for edge in stated) + " beside " + " x ".join(f"{edge:.4g}" for edge in edges),
        expected="equal voxel edges",
    )


def _refusal(finding: str, path: Path, found: str | None = None, expected: str | None = None) -> GeometryError:
    return GeometryError(
        finding,
        where=path,
        found=found,
        expected=expected,
        remedy="Convert the series again from its DICOM files, or give those",
    )

"""Phantoms as files: a DICOM series or NIfTI, with the truth beside it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from pipeline.phantom.dicom import write_series
from pipeline.phantom.rendering import Phantom, make_phantom
from pipeline.phantom.spec import PhantomSpec
from transforms.errors import OutputError, SettingError

PhantomFormat = Literal["dicom", "nifti"]


@dataclass(frozen=True, kw_only=True)
class PhantomFiles:
    """Where a phantom was written."""

    ct: Path
    """The folder of DICOM files, or the NIfTI file."""
    truth: Path
    """Label map: 1 ground glass, 2 consolidation, 3 pleural effusion."""
    lungs_truth: Path
    """Lung mask: 1 the patient's left, 2 the right."""


def write_phantom(
    out: Path, phantom: Phantom | PhantomSpec, *, format: PhantomFormat = "dicom", gapped: bool = False
) -> PhantomFiles:
    """Write a phantom into a folder: `ct/` or `ct.nii.gz`, `truth.nii.gz` and `lungs_truth.nii.gz`.

    Every file, and the folder of a series, appears under its own name only when it is whole. The masks are on the
    grid of the whole volume, also where slices of the series are left out.

    Args:
        out: Folder, made if it is not there.
        phantom: The phantom, or the spec to make it from.
        format: A DICOM series of single slices, or NIfTI.
        gapped: Leave some inner slices out of the series, as after a broken transfer; DICOM only.

    Raises:
        SettingError: an unknown format, or gaps in NIfTI or in fewer than six slices.
        OutputError: a file cannot be written.
    """
    if format not in ("dicom", "nifti"):
        raise SettingError("the phantom's format is unknown", found=format, expected="dicom or nifti")
    if gapped and format != "dicom":
        raise SettingError("only a DICOM series can have gaps", found=format, expected="dicom")
    whole = make_phantom(phantom) if isinstance(phantom, PhantomSpec) else phantom
    missing = _missing_slices(whole.hu.shape[2]) if gapped else frozenset()
    truth, lungs = out / "truth.nii.gz", out / "lungs_truth.nii.gz"
    ct = out / ("ct" if format == "dicom" else "ct.nii.gz")
    try:
        out.mkdir(parents=True, exist_ok=True)
        save_nifti(truth, whole.labels, whole.affine)
        save_nifti(lungs, whole.lungs, whole.affine)
        if format == "nifti":
            save_nifti(ct, whole.hu, whole.affine)
        else:
            with _whole_folder(ct) as folder:
                write_series(folder, whole, missing)
    except OSError as error:
        raise OutputError(
            "the phantom cannot be written",
            where=out,
            found=error.strerror or str(error),
            remedy="Choose a folder that is writable and has room",
        ) from error
    return PhantomFiles(ct=ct, truth=truth, lungs_truth=lungs)


def save_nifti(path: Path, array: NDArray[np.int16] | NDArray[np.uint8], affine: NDArray[np.float64]) -> None:
    """Write an array (X, Y, Z) as NIfTI in millimetres, under a temporary name until it is whole."""
    image = nib.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    part = path.with_name(f".part-{path.name}")
    try:
        nib.save(image, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _whole_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of `path` when the block ends well, and vanishes when not."""
    part = Path(tempfile.mkdtemp(prefix=f".part-{path.name}-", dir=path.parent))
    try:
        yield part
        part.chmod(0o755)
        if path.is_dir():
            shutil.rmtree(path)
        part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _missing_slices(count: int) -> frozenset[int]:
    if count < 6:
        raise SettingError("the phantom has too few slices for a gap", found=count, expected="6 or more")
    return frozenset({count // 3, count // 3 + 1, count * 2 // 3})

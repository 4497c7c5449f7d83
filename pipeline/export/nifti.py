"""Volumes to compressed NIfTI, a few slices at a time."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import torch
from isal import igzip

from pipeline.export.files import replacing

Array = npt.NDArray[Any]

#: Largest difference between the affine and its nearest rigid form, in millimetres over the volume's far corner, up
#: to which the rigid form (qform) is written too. NIfTI's float32 quaternions alone cost some 1e-4 mm.
QFORM_TOLERANCE_MM = 1e-2

#: isal's level 1: label maps shrink a hundredfold at about the speed of the disk.
_COMPRESSION_LEVEL = 1
_SLICES_AT_ONCE = 32


def write_label_map(label_map: Array | torch.Tensor, affine: npt.ArrayLike, path: str | PathLike[str]) -> None:
    """Write a label map as ``.nii.gz`` of ``uint8``.

    Args:
        label_map: ``uint8 (X, Y, Z)``.
        affine: ``(4, 4)`` voxel to RAS+ millimetres; the file holds it exactly to ``float32``.
        path: The file to write.

    Raises:
        OutputError: When the file cannot be written.
        TypeError: When the label map is not ``uint8``.
        ValueError: When it has not three axes.
    """
    array = _as_array(label_map)
    if array.dtype != np.uint8:
        raise TypeError(f"a label map must be uint8, not {array.dtype}")
    if array.ndim != 3:
        raise ValueError(f"a label map must have the axes (X, Y, Z), not the shape {array.shape}")
    _write(array, np.asarray(affine, dtype=np.float64), Path(path), np.dtype("<u1"))


def write_volume(volume: Array | torch.Tensor, affine: npt.ArrayLike, path: str | PathLike[str]) -> None:
    """Write a map of real numbers, such as probabilities, as ``.nii.gz`` of ``float32``.

    NIfTI knows no half precision: ``float16`` is widened a few slices at a time, never as a whole.

    Args:
        volume: ``float16`` or ``float32``, ``(X, Y, Z)`` or, for a map a class, ``(X, Y, Z, C)``.
        affine: ``(4, 4)`` voxel to RAS+ millimetres; the file holds it exactly to ``float32``.
        path: The file to write.

    Raises:
        OutputError: When the file cannot be written.
        TypeError: When the volume is not ``float16`` or ``float32``.
        ValueError: When it has not three or four axes.
    """
    array = _as_array(volume)
    if array.dtype not in (np.float16, np.float32):
        raise TypeError(f"a volume must be float16 or float32, not {array.dtype}")
    if array.ndim not in (3, 4):
        raise ValueError(f"a volume must have the axes (X, Y, Z) or (X, Y, Z, C), not the shape {array.shape}")
    _write(array, np.asarray(affine, dtype=np.float64), Path(path), np.dtype("<f4"))


def _as_array(volume: Array | torch.Tensor) -> Array:
    # asarray shares the tensor's memory; a MetaTensor hands out its plain tensor.
    return np.asarray(torch.Tensor.detach(volume).cpu()) if isinstance(volume, torch.Tensor) else volume


def _write(array: Array, affine: npt.NDArray[np.float64], path: Path, stored: np.dtype[Any]) -> None:
    header = _header(array.shape, affine, stored)
    with (
        replacing(path) as temporary,
        temporary.open("wb") as raw,
        # No name and no time in the gzip header: the same volume gives the same bytes.
        igzip.IGzipFile("", "wb", _COMPRESSION_LEVEL, raw, mtime=0) as stream,
    ):
        header.write_to(stream)
        for channel in array.transpose(3, 0, 1, 2) if array.ndim == 4 else (array,):
            _write_slices(stream, channel, stored)


def _write_slices(stream: igzip.IGzipFile, volume: Array, stored: np.dtype[Any]) -> None:
    for start in range(0, volume.shape[2], _SLICES_AT_ONCE):
        # NIfTI runs along x first. Several slices a copy: one alone would read a C-ordered volume voxel by voxel.
        block = np.asfortranarray(volume[:, :, start : start + _SLICES_AT_ONCE], dtype=stored)
        stream.write(block.reshape(-1, order="F").data)


def _header(shape: tuple[int, ...], affine: npt.NDArray[np.float64], stored: np.dtype[Any]) -> nib.Nifti1Header:
    header = nib.Nifti1Header()
    header.set_data_dtype(stored)
    header.set_data_shape(shape)
    header.set_xyzt_units("mm")
    # No scaling: the stored numbers are the values.
    header.set_slope_inter(1, 0)
    header.set_qform(affine, code="scanner")
    if not _is_rigid(header.get_qform(), affine, shape):
        header["qform_code"] = 0
    header.set_sform(affine, code="scanner")
    header["vox_offset"] = nib.Nifti1Header.single_vox_offset
    header["magic"] = nib.Nifti1Header.single_magic
    return header


def _is_rigid(qform: npt.NDArray[np.float64], affine: npt.NDArray[np.float64], shape: tuple[int, ...]) -> bool:
    corner = np.abs(qform - affine)[:3, :3] @ np.asarray(shape[:3])
    return bool(np.max(corner) <= QFORM_TOLERANCE_MM)

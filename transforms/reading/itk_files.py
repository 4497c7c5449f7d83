"""NRRD and MetaImage files: size, type and place by ITK, the voxels unpacked piece by piece into one array.

ITK reads voxels too, but takes a corrupt MetaImage for a whole one, and needs the memory twice.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name that its own pages use

from transforms.errors import GeometryError
from transforms.reading.affines import check_affine
from transforms.reading.file_plan import FilePlan
from transforms.reading.itk_header import DataFile, check_harmless, data_file
from transforms.reading.volume import Affine, FileVolume
from transforms.reading.voxel_file import VoxelFile, unreadable

_TYPES = {
    sitk.sitkInt8: "i1",
    sitk.sitkUInt8: "u1",
    sitk.sitkInt16: "i2",
    sitk.sitkUInt16: "u2",
    sitk.sitkInt32: "i4",
    sitk.sitkUInt32: "u4",
    sitk.sitkInt64: "i8",
    sitk.sitkUInt64: "u8",
    sitk.sitkFloat32: "f4",
    sitk.sitkFloat64: "f8",
}
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_SEGMENTS = "Segment0_"


def read_itk(path: Path, *, smallest: bool) -> FileVolume:
    """Reads a `.nrrd`, `.mha` or `.mhd` file, raw or packed by zlib, its voxels in it or in one file beside it.

    Args:
        path: The file with the header.
        smallest: Take `int16` where all values are integers that fit, else `float32`.

    Raises:
        UnreadableError: When the file is of another kind, cut short or corrupt.
        GeometryError: When it holds several volumes, or its place in the patient cannot be trusted.
    """
    plan, voxels = _looked_at(path)
    return FileVolume(voxels.read(smallest=smallest), plan.affine, plan.repairs)


def plan_itk(path: Path) -> FilePlan:
    """All of :func:`read_itk` that needs no voxels; refuses what that refuses for its header or its size.

    Raises:
        UnreadableError: When the file is of another kind, its header is corrupt, or it is too short for its voxels.
        GeometryError: When it holds several volumes, or its place in the patient cannot be trusted.
    """
    plan, voxels = _looked_at(path)
    voxels.check_size()
    return plan


def _looked_at(path: Path) -> tuple[FilePlan, VoxelFile]:
    check_harmless(path)
    header = sitk.ImageFileReader()
    header.SetFileName(str(path))
    try:
        header.ReadImageInformation()
    except RuntimeError as error:
        data_file(path)  # where a line is missing, it says so
        raise unreadable(path, "the file cannot be read: it is cut short, corrupt or of another kind") from error
    _check_one_volume(header, path)
    where = data_file(path)
    affine = _affine_ras(header)
    check_affine(affine, path)
    columns, rows, slices = header.GetSize()[:3]
    shape = (columns, rows, slices)
    stored = _stored(header, where, path)
    voxels = VoxelFile(path=where.path, packing=where.packing, start=where.start, shape=shape, stored=stored)
    return FilePlan(shape, affine, ()), voxels


def _check_one_volume(header: sitk.ImageFileReader, path: Path) -> None:
    size, channels = header.GetSize(), header.GetNumberOfComponents()
    if len(size) >= 3 and min(size) > 0 and all(extra == 1 for extra in size[3:]) and channels == 1:
        return
    layers = any(key.startswith(_SEGMENTS) for key in header.GetMetaDataKeys())
    raise GeometryError(
        "the file does not hold one volume",
        where=path,
        found=f"shape {' x '.join(map(str, size))}, {channels} value(s) a voxel",
        expected="three axes X x Y x Z, one value a voxel",
        remedy="Overlapping segments cannot be one label map: collapse the layers, or export them one by one"
        if layers
        else "Split it into one file a volume",
    )


def _affine_ras(header: sitk.ImageFileReader) -> Affine:
    dimension = len(header.GetSize())
    lps = np.eye(4)
    directions = np.array(header.GetDirection()).reshape(dimension, dimension)[:3, :3]
    lps[:3, :3] = directions * np.array(header.GetSpacing()[:3])
    lps[:3, 3] = header.GetOrigin()[:3]
    return _LPS_TO_RAS @ lps


def _stored(header: sitk.ImageFileReader, where: DataFile, path: Path) -> np.dtype[np.generic]:
    name = _TYPES.get(header.GetPixelID())
    if name is None:
        raise unreadable(path, "the voxels are of no known type", sitk.GetPixelIDValueAsString(header.GetPixelID()))
    if where.order is None and name not in ("i1", "u1"):
        raise unreadable(path, "the header does not say in which order the bytes of a voxel are")
    return np.dtype(f"{where.order or '<'}{name}")

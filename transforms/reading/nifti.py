"""NIfTI files: the header first, then the voxels, unpacked piece by piece into one array."""

from __future__ import annotations

from pathlib import Path

from transforms.reading.file_plan import FilePlan
from transforms.reading.nifti_header import HEADER_BYTES, parse_header
from transforms.reading.volume import FileVolume
from transforms.reading.voxel_file import (
    BROKEN_STREAM,
    Packing,
    VoxelFile,
    is_gzip,
    kind_of_damage,
    open_stream,
    unreadable,
)


def read_nifti(path: Path, *, smallest: bool) -> FileVolume:
    """Reads a `.nii` or `.nii.gz` file, packed or not, whatever its ending promises.

    Args:
        path: The file.
        smallest: Take `int16` where all values are integers that fit, else `float32`.

    Raises:
        UnreadableError: When the file is no NIfTI, cut short or corrupt.
        GeometryError: When it holds several volumes, or its place in the patient cannot be trusted.
    """
    plan, voxels = _looked_at(path)
    return FileVolume(voxels.read(smallest=smallest), plan.affine, plan.repairs)


def plan_nifti(path: Path) -> FilePlan:
    """All of :func:`read_nifti` that needs no voxels; refuses what that refuses for its header or its size.

    Raises:
        UnreadableError: When the file is no NIfTI, or too short for its voxels.
        GeometryError: When it holds several volumes, or its place in the patient cannot be trusted.
    """
    plan, voxels = _looked_at(path)
    voxels.check_size()
    return plan


def _looked_at(path: Path) -> tuple[FilePlan, VoxelFile]:
    packing: Packing = "gzip" if is_gzip(path) else "raw"
    try:
        with open_stream(path, packing) as stream:
            content = stream.read(HEADER_BYTES)
    except BROKEN_STREAM as error:
        raise unreadable(path, f"the file is not a NIfTI volume: {kind_of_damage(error)}") from error
    header = parse_header(content, path)
    voxels = VoxelFile(
        path=path,
        packing=packing,
        skip=header.offset,
        shape=header.shape,
        stored=header.stored,
        scaling=header.scaling,
    )
    return FilePlan(header.shape, header.affine, header.repairs), voxels

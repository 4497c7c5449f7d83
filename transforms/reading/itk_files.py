"""NRRD and MetaImage files, read by SimpleITK; what ITK would silently assume about their place is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813 - the name that its own pages use

from transforms.errors import GeometryError, UnreadableError
from transforms.file_kinds import volume_format
from transforms.reading.affines import check_affine
from transforms.reading.volume import Affine, FileVolume
from transforms.reading.voxels import to_target

HEADER_BYTES = 1 << 16
"""How much of a file is searched for the header's lines."""

_PLACE = {
    "nrrd": {
        "space": r"^space( dimension)?:",
        "space directions": r"^space directions:",
        "space origin": r"^space origin:",
    },
    "metaimage": {"ElementSpacing": r"^Element(Spacing|Size)\s*=", "Offset": r"^(Offset|Origin|Position)\s*="},
}
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_itk(path: Path, *, smallest: bool) -> FileVolume:
    """Reads a `.nrrd`, `.mha` or `.mhd` file.

    Args:
        path: The file.
        smallest: Take `int16` where all values are integers that fit, else `float32`.

    Raises:
        UnreadableError: When the file is of another kind, cut short or corrupt.
        GeometryError: When it holds several volumes, or its place in the patient cannot be trusted.
    """
    _check_place_is_given(path)
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise UnreadableError(
            "the file cannot be read: it is cut short, corrupt or of another kind",
            where=path,
            remedy="Copy or convert the file again",
        ) from error
    affine = _affine_ras(image, path)
    check_affine(affine, path)
    array: npt.NDArray[Any] = sitk.GetArrayFromImage(image).reshape(image.GetSize()[2::-1])
    return FileVolume(to_target(array.T, smallest=smallest), affine, ())


def _affine_ras(image: sitk.Image, path: Path) -> Affine:
    size, channels = image.GetSize(), image.GetNumberOfComponentsPerPixel()
    if len(size) < 3 or any(extra != 1 for extra in size[3:]) or channels != 1:
        raise GeometryError(
            "the file does not hold one volume",
            where=path,
            found=f"shape {' x '.join(map(str, size))}, {channels} value(s) a voxel",
            expected="three axes X x Y x Z, one value a voxel",
            remedy="Split it into one file a volume",
        )
    dimension = len(size)
    lps = np.eye(4)
    directions = np.array(image.GetDirection()).reshape(dimension, dimension)[:3, :3]
    lps[:3, :3] = directions * np.array(image.GetSpacing()[:3])
    lps[:3, 3] = image.GetOrigin()[:3]
    return _LPS_TO_RAS @ lps


def _check_place_is_given(path: Path) -> None:
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES).decode("latin-1")
    fields = _PLACE[volume_format(path) or "metaimage"]
    missing = [name for name, line in fields.items() if not re.search(line, header, re.MULTILINE | re.IGNORECASE)]
    looks_right = header.startswith("NRRD") or re.match(r"\s*\w+\s*=", header)
    if missing and looks_right:
        raise GeometryError(
            "the header does not say where the volume lies",
            where=path,
            found="no " + ", no ".join(missing),
            expected=", ".join(fields),
            remedy="Convert the series again from its DICOM files, or give those",
        )

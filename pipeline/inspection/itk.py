"""An NRRD or MetaImage header for people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name that its own pages use

from pipeline.inspection.results import FileInspection
from transforms.errors import UnreadableError
from transforms.reading.itk_header import check_harmless

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
_CODES = (("L", "R"), ("P", "A"), ("I", "S"))


def itk_facts(path: Path) -> FileInspection | None:
    """What the header says; `None` where there is none. Both formats are in millimetres unless they say otherwise."""
    header = sitk.ImageFileReader()
    header.SetFileName(str(path))
    try:
        check_harmless(path)
        header.ReadImageInformation()
    except (RuntimeError, UnreadableError):
        return None
    return FileInspection(
        shape=tuple(header.GetSize()),
        spacing_mm=tuple(round(edge, 4) for edge in header.GetSpacing()),
        orientation=_orientation(header),
        stored_type=sitk.GetPixelIDValueAsString(header.GetPixelID()),
        units="mm",
    )


def _orientation(header: sitk.ImageFileReader) -> str:
    dimension = header.GetDimension()
    if dimension < 3:
        return ""
    axes = _LPS_TO_RAS @ np.array(header.GetDirection()).reshape(dimension, dimension)[:3, :3]
    nearest = np.abs(axes).argmax(axis=0)
    return "".join(_CODES[axis][int(axes[axis, column] > 0)] for column, axis in enumerate(nearest))

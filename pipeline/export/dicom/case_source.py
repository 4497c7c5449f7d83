"""Whether a case can have results as DICOM, and if not, why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from pipeline.export.dicom.source import Source, read_source
from transforms.errors import CTError


def case_source(meta: Mapping[str, Any], affine: npt.ArrayLike, shape: Sequence[int]) -> Source | str:
    """Find the DICOM slices that a case's volume maps to.

    Args:
        meta: The volume's meta.
        affine: ``(4, 4)`` voxel to RAS+ millimetres.
        shape: ``(X, Y, Z)`` of the volume.

    Returns:
        The source; or, where there is none, a sentence that says why. It is empty for input that was never DICOM.
    """
    if meta.get("format") != "dicom":
        return ""
    try:
        return read_source(meta, affine, shape)
    except CTError as error:
        # The other results are whole: a finding, not a failure.
        found = f" ({error.found})" if error.found else ""
        return f"There is no DICOM SEG and no DICOM SR: {error.finding}{found}."

"""How a stack of slices lies in the patient."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_PLANES = ("sagittal", "coronal", "axial")  # by the axis of the patient that is nearest to the normal
_Axes = npt.NDArray[np.floating[Any]]


def plane_of(normal: _Axes) -> str:
    """The nearest plane of the patient to the slices with a normal `(3,)`."""
    return _PLANES[int(np.abs(normal).argmax())]


def oblique_degrees(axes: _Axes) -> float:
    """The largest angle between one of the axes, the columns of `(3, N)`, and the patient's axis next to it."""
    cosines = np.abs(axes / np.linalg.norm(axes, axis=0)).max(axis=0)
    return round(float(np.degrees(np.arccos(np.clip(cosines, 0, 1))).max()), 2)

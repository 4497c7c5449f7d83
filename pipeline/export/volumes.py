"""The volumes of the classes of a label map, and nothing else: what takes a fraction of a second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from monai.data.utils import affine_to_spacing

from pipeline.export.measurements import LesionMeasurement, LungVolume, Measurements
from pipeline.export.zone_figures import density_of, zones_of

_SLICES_AT_ONCE = 32


def volumes_alone(
    label_map: npt.NDArray[Any], affine: npt.ArrayLike, classes: Mapping[str, int], *, case: str = ""
) -> Measurements:
    """Measure no more of a label map than the volume of each class.

    Args:
        label_map: ``uint8 (X, Y, Z)``.
        affine: ``(4, 4)`` voxel to RAS+ millimetres.
        classes: Class name to label value; the background (0) is left out.
        case: The case's name.

    Returns:
        Measurements as without lungs; of the figures of a lesion ``volume_ml`` alone is meant.
    """
    matrix = np.asarray(affine, dtype=np.float64)
    voxel_ml = abs(float(np.linalg.det(matrix[:3, :3]))) / 1000.0
    foreground = sorted((value, name) for name, value in classes.items() if value != 0)
    x, y, z = (float(step) for step in affine_to_spacing(matrix))
    return Measurements(
        case=case,
        spacing_mm=(x, y, z),
        lung_volume_ml=LungVolume(left=None, right=None, total=None),
        lung_density=density_of(None),
        lesions={name: _lesion(_count(label_map, value) * voxel_ml) for value, name in foreground},
        percent_of_lung_involved=None,
        zones=zones_of(None, [], voxel_ml),
        severity=None,
    )


def _count(label_map: npt.NDArray[Any], value: int) -> int:
    """Voxels of a class, some slices at a time: a comparison of all would take as much memory as the label map."""
    slices = range(0, label_map.shape[2], _SLICES_AT_ONCE)
    return sum(int(np.count_nonzero(label_map[:, :, at : at + _SLICES_AT_ONCE] == value)) for at in slices)


def _lesion(volume_ml: float) -> LesionMeasurement:
    return LesionMeasurement(volume_ml=volume_ml, percent_of_lung=None, mean_hu=None, components=0)

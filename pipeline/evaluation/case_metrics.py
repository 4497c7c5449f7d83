"""How well a label map agrees with its reference, class by class; every case has a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.metrics.utils import get_edge_surface_distance
from scipy import ndimage

from transforms.errors import GeometryError, LabelError, SettingError

Array = npt.NDArray[Any]

#: Largest distance of two surfaces that still counts as agreement, as the Medical Segmentation Decathlon used for the
#: lung (Antonelli et al., Nature Communications, 2022).
TOLERANCE_MM = 2.0


@dataclass(frozen=True, kw_only=True)
class ClassMetrics:
    """Agreement in one class of one case.

    Attributes:
        dice: Dice coefficient, 0 to 1.
        hd95_mm: The larger of the two directed 95th percentiles of the surface distances (Hausdorff distance, 95 %).
        nsd: Normalised surface Dice (Nikolov et al. 2018): the share of both surfaces within the tolerance.
        volume_truth_ml: Volume in the reference.
        volume_pred_ml: Volume in the prediction.
    """

    dice: float
    hd95_mm: float
    nsd: float
    volume_truth_ml: float
    volume_pred_ml: float


def case_metrics(
    pred: Array | torch.Tensor,
    truth: Array | torch.Tensor,
    spacing_mm: Sequence[float],
    classes: Mapping[str, int],
    *,
    tolerance_mm: float | Mapping[str, float] = TOLERANCE_MM,
) -> dict[str, ClassMetrics]:
    """Compare a label map with its reference.

    Empty classes have defined scores, so that no case falls out of a mean: empty in both, Dice 1, HD95 0 mm, NSD 1;
    empty in one of them, Dice 0, NSD 0, and as HD95 the diagonal of the whole volume, the farthest that two voxels
    can be apart. Distances are computed in the box that holds the class in either label map.

    Args:
        pred: Label map, integers ``(X, Y, Z)`` or ``(1, X, Y, Z)``.
        truth: Reference on the same grid, likewise.
        spacing_mm: Distance of neighbouring voxels along the three axes.
        classes: Class name to label value; the background (0) is left out.
        tolerance_mm: Surface distance that still counts as agreement; one number, or class name to number.

    Returns:
        Class name to its metrics, in the order of ``classes``.

    Raises:
        GeometryError: When the two differ in shape.
        LabelError: When one is not a label map: several channels, or values that are not whole numbers.
        SettingError: When a class has no tolerance, or a negative one.
    """
    pred_map, truth_map = _label_map(pred, "prediction"), _label_map(truth, "reference")
    if pred_map.shape != truth_map.shape:
        raise GeometryError(
            "prediction and reference are not on one grid", found=pred_map.shape, expected=truth_map.shape
        )
    spacing = tuple(float(step) for step in spacing_mm)
    highest = max(1, *classes.values())
    pred_boxes = ndimage.find_objects(pred_map, max_label=highest)
    truth_boxes = ndimage.find_objects(truth_map, max_label=highest)
    metrics: dict[str, ClassMetrics] = {}
    for name, value in classes.items():
        if value == 0:
            continue
        tolerance = _tolerance(tolerance_mm, name)
        box = _joint_box(pred_boxes[value - 1], truth_boxes[value - 1])
        if box is None:
            metrics[name] = ClassMetrics(dice=1.0, hd95_mm=0.0, nsd=1.0, volume_truth_ml=0.0, volume_pred_ml=0.0)
        else:
            diagonal_mm = float(np.linalg.norm(np.multiply(pred_map.shape, spacing)))
            metrics[name] = _compare(pred_map[box] == value, truth_map[box] == value, spacing, tolerance, diagonal_mm)
    return metrics


def _compare(
    pred: Array, truth: Array, spacing_mm: tuple[float, ...], tolerance_mm: float, diagonal_mm: float
) -> ClassMetrics:
    pred_voxels, truth_voxels = int(np.count_nonzero(pred)), int(np.count_nonzero(truth))
    common = int(np.count_nonzero(pred & truth))
    hd95_mm, nsd = diagonal_mm, 0.0
    if pred_voxels and truth_voxels:
        hd95_mm, nsd = _surface_metrics(pred, truth, spacing_mm, tolerance_mm)
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    return ClassMetrics(
        dice=2.0 * common / (pred_voxels + truth_voxels),
        hd95_mm=hd95_mm,
        nsd=nsd,
        volume_truth_ml=truth_voxels * voxel_ml,
        volume_pred_ml=pred_voxels * voxel_ml,
    )


def _surface_metrics(
    pred: Array, truth: Array, spacing_mm: tuple[float, ...], tolerance_mm: float
) -> tuple[float, float]:
    """Give HD95 and NSD as MONAI's two functions do, from one search of nearest surfaces instead of two."""
    _, both_ways, _ = get_edge_surface_distance(
        torch.from_numpy(pred), torch.from_numpy(truth), spacing=spacing_mm, symmetric=True
    )
    distances = [np.asarray(distance, dtype=np.float64) for distance in both_ways]
    hd95_mm = max(float(np.percentile(distance, 95)) for distance in distances)
    near = sum(int(np.count_nonzero(distance <= tolerance_mm)) for distance in distances)
    return hd95_mm, near / sum(distance.size for distance in distances)


def _label_map(volume: Array | torch.Tensor, what: str) -> Array:
    array: Array = volume.detach().cpu().numpy() if isinstance(volume, torch.Tensor) else np.asarray(volume)
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 3:
        raise LabelError(f"the {what} is not a label map", found=array.shape, expected="(X, Y, Z) or (1, X, Y, Z)")
    if array.dtype.kind in "ui":
        return array
    whole = array.astype(np.uint8)
    if not np.array_equal(whole, array):
        raise LabelError(f"the {what} is not a label map", found="fractions or negative values", expected="0 to 255")
    return whole


def _joint_box(one: tuple[slice, ...] | None, other: tuple[slice, ...] | None) -> tuple[slice, ...] | None:
    if one is None or other is None:
        return one or other
    return tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one, other, strict=True))


def _tolerance(tolerance_mm: float | Mapping[str, float], name: str) -> float:
    tolerance = tolerance_mm.get(name) if isinstance(tolerance_mm, Mapping) else tolerance_mm
    if tolerance is None or not tolerance >= 0:
        raise SettingError(
            f"no usable surface tolerance for the class {name}",
            where="tolerance_mm",
            found=tolerance,
            expected="millimetres, 0 or more",
        )
    return float(tolerance)

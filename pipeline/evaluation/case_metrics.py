"""How well a label map agrees with its reference, class by class; every case has a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from pipeline.evaluation.lesions import LESION_OVERLAP, LesionCounts, count_lesions
from pipeline.evaluation.rand_index import adjusted_rand
from pipeline.evaluation.surfaces import surface_metrics
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
        adjusted_rand: Adjusted Rand index (Hubert and Arabie 1985) of class and rest, over the whole volume.
        lesions: The connected components, and those that were found.
        calibration_error: Expected calibration error of the class's probabilities; None where there are none.
    """

    dice: float
    hd95_mm: float
    nsd: float
    volume_truth_ml: float
    volume_pred_ml: float
    adjusted_rand: float = 1.0
    lesions: LesionCounts = field(default_factory=LesionCounts)
    calibration_error: float | None = None

    @property
    def volume_error_ml(self) -> float:
        """How far the predicted volume is from the reference's, without sign."""
        return abs(self.volume_pred_ml - self.volume_truth_ml)

    @property
    def volume_error_percent(self) -> float:
        """The same in per cent of the reference's volume; where that is empty 0 when the prediction is, else 100."""
        if self.volume_truth_ml:
            return 100.0 * self.volume_error_ml / self.volume_truth_ml
        return 100.0 if self.volume_pred_ml else 0.0

    def values(self) -> dict[str, float | int | None]:
        """All numbers by name, in the order of `metrics.csv`."""
        return {
            "dice": self.dice,
            "hd95_mm": self.hd95_mm,
            "nsd": self.nsd,
            "volume_truth_ml": self.volume_truth_ml,
            "volume_pred_ml": self.volume_pred_ml,
            "volume_error_ml": self.volume_error_ml,
            "volume_error_percent": self.volume_error_percent,
            "lesion_sensitivity": self.lesions.sensitivity,
            "lesion_precision": self.lesions.precision,
            "lesion_f1": self.lesions.f1,
            "lesions_truth": self.lesions.truth,
            "lesions_found": self.lesions.found,
            "lesions_pred": self.lesions.pred,
            "lesions_right": self.lesions.right,
            "adjusted_rand": self.adjusted_rand,
            "calibration_error": self.calibration_error,
        }


@dataclass(frozen=True, kw_only=True)
class MetricSettings:
    """What the metrics depend on.

    Attributes:
        tolerance_mm: Surface distance that still counts as agreement; one number, or class name to number.
        lesion_overlap: Share of a lesion that must be covered to count as found, 0 to 1; with 0 one voxel is enough.
        min_lesion_ml: Smaller lesions are not counted among lesions; voxels and surfaces stay.
    """

    tolerance_mm: float | Mapping[str, float] = TOLERANCE_MM
    lesion_overlap: float = LESION_OVERLAP
    min_lesion_ml: float = 0.0

    def tolerance_of(self, name: str) -> float:
        """The surface tolerance of a class.

        Raises:
            SettingError: When there is none, or a negative one.
        """
        given = self.tolerance_mm
        tolerance = given.get(name) if isinstance(given, Mapping) else given
        if tolerance is None or not tolerance >= 0:
            raise SettingError(
                f"no usable surface tolerance for the class {name}",
                where="tolerance_mm",
                found=tolerance,
                expected="millimetres, 0 or more",
            )
        return float(tolerance)

    def record(self) -> dict[str, Any]:
        """The settings as JSON has them."""
        tolerance = dict(self.tolerance_mm) if isinstance(self.tolerance_mm, Mapping) else self.tolerance_mm
        return {"tolerance_mm": tolerance, "lesion_overlap": self.lesion_overlap, "min_lesion_ml": self.min_lesion_ml}


def case_metrics(
    pred: Array | torch.Tensor,
    truth: Array | torch.Tensor,
    spacing_mm: Sequence[float],
    classes: Mapping[str, int],
    *,
    tolerance_mm: float | Mapping[str, float] = TOLERANCE_MM,
    lesion_overlap: float = LESION_OVERLAP,
    min_lesion_ml: float = 0.0,
) -> dict[str, ClassMetrics]:
    """Compare a label map with its reference.

    Empty classes have defined scores, so that no case falls out of a mean. Empty in both: the best score, Dice, NSD,
    Rand index and lesion scores 1, HD95 0 mm. Empty in one of them: the worst, Dice, NSD, Rand index and lesion
    scores 0, and as HD95 the diagonal of the whole volume, the farthest that two voxels can be apart. Everything is
    computed in the box that holds the class in either label map.

    Args:
        pred: Label map, integers ``(X, Y, Z)`` or ``(1, X, Y, Z)``.
        truth: Reference on the same grid, likewise.
        spacing_mm: Distance of neighbouring voxels along the three axes.
        classes: Class name to label value; the background (0) is left out.
        tolerance_mm: See :class:`MetricSettings`, as the next two.
        lesion_overlap: Share of a lesion that must be covered.
        min_lesion_ml: Smaller lesions are not counted.

    Returns:
        Class name to its metrics, in the order of ``classes``.

    Raises:
        GeometryError: When the two differ in shape.
        LabelError: When one is not a label map: several channels, or values that are not whole numbers.
        SettingError: When a class has no tolerance, or a setting is out of range.
    """
    settings = MetricSettings(tolerance_mm=tolerance_mm, lesion_overlap=lesion_overlap, min_lesion_ml=min_lesion_ml)
    pred_map, truth_map = _label_map(pred, "prediction"), _label_map(truth, "reference")
    if pred_map.shape != truth_map.shape:
        raise GeometryError(
            "prediction and reference are not on one grid", found=pred_map.shape, expected=truth_map.shape
        )
    spacing = tuple(float(step) for step in spacing_mm)
    highest = max(1, *classes.values())
    pred_boxes, truth_boxes = (ndimage.find_objects(labels, max_label=highest) for labels in (pred_map, truth_map))
    metrics: dict[str, ClassMetrics] = {}
    for name, value in classes.items():
        if value == 0:
            continue
        compare = _Comparison(pred_map.shape, spacing, settings, settings.tolerance_of(name))
        box = _joint_box(pred_boxes[value - 1], truth_boxes[value - 1])
        metrics[name] = compare.neither() if box is None else compare(pred_map[box] == value, truth_map[box] == value)
    return metrics


@dataclass(frozen=True)
class _Comparison:
    shape: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    settings: MetricSettings
    tolerance_mm: float

    def neither(self) -> ClassMetrics:
        return ClassMetrics(dice=1.0, hd95_mm=0.0, nsd=1.0, volume_truth_ml=0.0, volume_pred_ml=0.0)

    def __call__(self, pred: Array, truth: Array) -> ClassMetrics:
        in_pred, in_truth = int(np.count_nonzero(pred)), int(np.count_nonzero(truth))
        common = int(np.count_nonzero(pred & truth))
        hd95_mm, nsd = float(np.linalg.norm(np.multiply(self.shape, self.spacing_mm))), 0.0
        if in_pred and in_truth:
            hd95_mm, nsd = surface_metrics(pred, truth, self.spacing_mm, self.tolerance_mm)
        voxel_ml = float(np.prod(self.spacing_mm)) / 1000.0
        return ClassMetrics(
            dice=2.0 * common / (in_pred + in_truth),
            hd95_mm=hd95_mm,
            nsd=nsd,
            volume_truth_ml=in_truth * voxel_ml,
            volume_pred_ml=in_pred * voxel_ml,
            adjusted_rand=adjusted_rand(common, in_pred, in_truth, int(np.prod(self.shape))),
            lesions=count_lesions(
                pred,
                truth,
                overlap=self.settings.lesion_overlap,
                min_voxels=self.settings.min_lesion_ml / voxel_ml,
            ),
        )


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

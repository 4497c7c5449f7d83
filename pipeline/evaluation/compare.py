"""Label map files against their references."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike

from monai.transforms import Compose

from pipeline.evaluation.case_metrics import TOLERANCE_MM, ClassMetrics, case_metrics
from transforms.grids import Grid
from transforms.reading import CheckSameGridd, LoadLabelMapd


def compare_files(
    prediction: str | PathLike[str],
    reference: str | PathLike[str],
    classes: Mapping[str, int],
    *,
    tolerance_mm: float | Mapping[str, float] = TOLERANCE_MM,
) -> dict[str, ClassMetrics]:
    """Compares a label map file with its reference.

    Args:
        prediction: A file of any format that label maps are read from.
        reference: Another, on the same grid.
        classes: Class name to value; other values are refused.
        tolerance_mm: See :func:`pipeline.evaluation.case_metrics`.

    Returns:
        Class name to metrics.

    Raises:
        GeometryError: When the two are not on one grid.
        LabelError: When one is no label map of these classes.
    """
    read = Compose(
        [
            LoadLabelMapd(["pred", "label"], allowed=sorted(classes.values())),
            CheckSameGridd(["label", "pred"]),
        ]
    )
    data = read({"pred": str(prediction), "label": str(reference)})
    spacing = tuple(Grid.of(data["label"]).spacing_mm)
    return case_metrics(data["pred"], data["label"], spacing, classes, tolerance_mm=tolerance_mm)

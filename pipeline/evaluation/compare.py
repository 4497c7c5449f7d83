"""Label map files against their references."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from os import PathLike

from pipeline.datasets.patients import patient_of
from pipeline.evaluation.calibration import calibration_errors
from pipeline.evaluation.case_metrics import ClassMetrics, MetricSettings, case_metrics
from pipeline.evaluation.matching import Pair
from pipeline.evaluation.probability_files import read_probabilities
from pipeline.evaluation.results import ScoredCase
from pipeline.evaluation.same_grid import on_grid_of
from transforms.errors import CTError, root_error
from transforms.grids import Grid
from transforms.reading import read_label_map

logger = logging.getLogger(__name__)


def compare_files(
    prediction: str | PathLike[str],
    reference: str | PathLike[str],
    classes: Mapping[str, int],
    settings: MetricSettings | None = None,
    *,
    probabilities: str | PathLike[str] | None = None,
) -> tuple[dict[str, ClassMetrics], list[str]]:
    """Compares a label map file with its reference.

    Args:
        prediction: A file of any format that label maps are read from.
        reference: Another, on the same grid; its axes may run in another order or sense.
        classes: Class name to value; values other than these and 0 are refused.
        settings: What the metrics depend on.
        probabilities: What the network gave for each class, on any grid with the reference's axes.

    Returns:
        Class name to metrics, and notes: what was turned, what was left out.

    Raises:
        GeometryError: When the two are not on one grid.
        LabelError: When one is no label map of these classes.
    """
    chosen = settings or MetricSettings()
    values = sorted({0, *classes.values()})
    truth = read_label_map(reference, allowed=values)
    pred, turned = on_grid_of(truth, read_label_map(prediction, allowed=values))
    notes = [turned] if turned else []
    grid = Grid.of(truth)
    metrics = case_metrics(pred, truth, tuple(grid.spacing_mm), classes, **chosen.record())
    if probabilities is not None:
        try:
            shares, place = read_probabilities(probabilities)
            errors = calibration_errors(shares, place, truth, grid, classes)
            metrics = {name: replace(one, calibration_error=errors[name]) for name, one in metrics.items()}
        except CTError as error:
            notes.append(f"without a calibration error: {error}")
    return metrics, notes


def compare_pairs(
    pairs: Iterable[Pair],
    classes: Mapping[str, int],
    settings: MetricSettings | None = None,
    *,
    patients: Mapping[str, str] | None = None,
    patient_pattern: str | None = None,
) -> Iterator[ScoredCase]:
    """Compares many, one after the other; one that fails does not take the others with it.

    Args:
        pairs: Predictions and their references.
        classes: Class name to value.
        settings: What the metrics depend on.
        patients: Case name to patient, of the prediction's or the reference's name.
        patient_pattern: Finds the patient in the case's name (:func:`pipeline.datasets.patients.patient_of`).
    """
    for pair in pairs:
        listed = dict(patients or {})
        if own := listed.get(pair.reference.case) or pair.reference.patient:
            listed.setdefault(pair.case, own)
        patient = patient_of(pair.case, listed=listed, pattern=patient_pattern)
        yield _scored(pair, patient, classes, settings)


def _scored(pair: Pair, patient: str, classes: Mapping[str, int], settings: MetricSettings | None) -> ScoredCase:
    try:
        metrics, notes = compare_files(
            pair.prediction.path, pair.reference.path, classes, settings, probabilities=pair.prediction.probabilities
        )
    except Exception as error:  # boundary: whatever fails for one case, the others are compared
        cause = root_error(error)
        known = isinstance(cause, CTError)
        logger.error("case %s failed: %s", pair.case, cause, exc_info=None if known else cause)
        return ScoredCase(case=pair.case, patient=patient, error=str(cause) or type(cause).__name__)
    for note in notes:
        logger.warning("case %s: %s", pair.case, note)
    return ScoredCase(case=pair.case, patient=patient, metrics=metrics, notes=tuple(notes))

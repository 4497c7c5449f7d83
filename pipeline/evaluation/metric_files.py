"""Metrics of many cases as a table and a summary."""

from __future__ import annotations

import csv
from os import PathLike
from pathlib import Path
from typing import Any

from pipeline.evaluation.case_metrics import ClassMetrics
from pipeline.evaluation.results import Evaluation
from pipeline.evaluation.summary import Bootstrap, summarise
from pipeline.export.files import make_folder, replacing, write_json

_NUMBERS = tuple(ClassMetrics(dice=1, hd95_mm=0, nsd=1, volume_truth_ml=0, volume_pred_ml=0).values())


def write_metrics(
    folder: str | PathLike[str], evaluation: Evaluation, draws: Bootstrap | None = None
) -> dict[str, Any]:
    """Write ``metrics.csv`` (a row a case and class) and ``metrics.json`` (the summary and each case).

    A case that failed is a row too, with its error and no numbers.

    Args:
        folder: Where to; created where missing.
        evaluation: What was compared.
        draws: How intervals are made.

    Returns:
        The summary (:func:`pipeline.evaluation.summary.summarise`).

    Raises:
        OutputError: When a file cannot be written.
    """
    target = make_folder(folder)
    summary = summarise(evaluation, draws)
    _write_table(target / "metrics.csv", evaluation)
    write_json(target / "metrics.json", {**evaluation.settings.record(), **summary, **_by_case(evaluation)})
    return summary


def _write_table(path: Path, evaluation: Evaluation) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["case", "class", *_NUMBERS, "patient", "error"])
        for case in evaluation.cases:
            for name, metrics in case.metrics.items():
                numbers = ("" if value is None else round(value, 6) for value in metrics.values().values())
                writer.writerow([case.case, name, *numbers, case.patient, ""])
            if case.error is not None:
                writer.writerow([case.case, "", *("" for _ in _NUMBERS), case.patient, case.error])


def _by_case(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "failed": {case.case: case.error for case in evaluation.failed},
        "notes": {case.case: list(case.notes) for case in evaluation.cases if case.notes},
        "without_reference": [str(path) for path in evaluation.predictions_alone],
        "without_prediction": [str(path) for path in evaluation.references_alone],
        "per_case": {
            case.case: {name: metrics.values() for name, metrics in case.metrics.items()} for case in evaluation.scored
        },
    }

"""Metrics of many cases as a table and a summary."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import asdict, fields
from os import PathLike
from typing import Any

import numpy as np

from pipeline.evaluation.case_metrics import TOLERANCE_MM, ClassMetrics
from pipeline.export.files import make_folder, replacing, write_json

#: Case name to class name to metrics.
MetricsByCase = Mapping[str, Mapping[str, ClassMetrics]]

_SCORES = ("dice", "hd95_mm", "nsd")


def write_metrics(
    folder: str | PathLike[str],
    cases: MetricsByCase,
    *,
    tolerance_mm: float | Mapping[str, float] = TOLERANCE_MM,
) -> None:
    """Write ``metrics.csv`` (a row a case and class) and ``metrics.json`` (the summary and each case).

    Args:
        folder: Where to; created where missing.
        cases: Case name to class name to metrics.
        tolerance_mm: The surface tolerance that was used, for the record.

    Raises:
        OutputError: When a file cannot be written.
    """
    target = make_folder(folder)
    with replacing(target / "metrics.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["case", "class", *(field.name for field in fields(ClassMetrics))])
        for case, classes in cases.items():
            for name, metrics in classes.items():
                writer.writerow([case, name, *(round(value, 6) for value in asdict(metrics).values())])
    tolerance = dict(tolerance_mm) if isinstance(tolerance_mm, Mapping) else tolerance_mm
    per_case = {case: {name: asdict(metrics) for name, metrics in classes.items()} for case, classes in cases.items()}
    write_json(target / "metrics.json", {"tolerance_mm": tolerance, **summarise(cases), "per_case": per_case})


def summarise(cases: MetricsByCase) -> dict[str, Any]:
    """Summarise metrics over cases.

    Args:
        cases: Case name to class name to metrics.

    Returns:
        ``cases`` (their number), ``classes`` (class name to ``n``, ``n_in_reference``, the number of cases whose
        reference holds the class, and for each score its ``mean``, ``median`` and ``std`` over the cases), and
        ``mean`` (each score's mean over the classes' means; None without cases).
    """
    names = list(dict.fromkeys(name for classes in cases.values() for name in classes))
    by_class = {
        name: _summarise_class([classes[name] for classes in cases.values() if name in classes]) for name in names
    }
    overall = {score: float(np.mean([of[score]["mean"] for of in by_class.values()])) for score in _SCORES if by_class}
    return {"cases": len(cases), "classes": by_class, "mean": overall or None}


def _summarise_class(metrics: list[ClassMetrics]) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "n": len(metrics),
        "n_in_reference": sum(one.volume_truth_ml > 0 for one in metrics),
    }
    for score in _SCORES:
        values = np.array([getattr(one, score) for one in metrics])
        summary[score] = {"mean": float(values.mean()), "median": float(np.median(values)), "std": float(values.std())}
    return summary

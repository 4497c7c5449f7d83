"""Metrics of many cases in a few numbers, with intervals over patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.case_metrics import ClassMetrics
from pipeline.evaluation.intervals import SAMPLES, Interval, bootstrap
from pipeline.evaluation.lesions import LesionCounts
from pipeline.evaluation.results import Evaluation, ScoredCase

SCORES = (
    "dice",
    "hd95_mm",
    "nsd",
    "volume_error_ml",
    "volume_error_percent",
    "lesion_sensitivity",
    "lesion_precision",
    "lesion_f1",
    "adjusted_rand",
    "calibration_error",
)
"""What is averaged over cases."""

LIMITS = 1.96
"""Half the width of the limits of agreement, in standard deviations (Bland and Altman 1986)."""


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """How intervals are made.

    Attributes:
        samples: How often the patients are drawn.
        seed: Of the draws.
    """

    samples: int = SAMPLES
    seed: int = 0


def summarise(evaluation: Evaluation, draws: Bootstrap | None = None) -> dict[str, Any]:
    """Summarise metrics over cases.

    Args:
        evaluation: What was compared.
        draws: How intervals are made.

    Returns:
        ``cases`` and ``patients`` (their numbers, of those that have metrics), ``classes`` (class name to ``n``,
        ``n_in_reference``, the number of cases whose reference holds the class, each score's ``mean``, ``median``,
        ``std`` and the ends of the mean's 95 % interval, ``low`` and ``high``; ``lesions``, counted over all cases;
        ``volume_bias_ml``, the limits of agreement), ``mean`` (each score's mean over the classes' means) and
        ``mean_interval`` (its ends); both None without cases.
    """
    chosen = draws or Bootstrap()
    cases = evaluation.scored
    patients = [case.patient for case in cases]
    names = evaluation.classes
    table = _table(cases, names)
    intervals = _intervals(table, names, patients, chosen) if cases else {}
    classes = {
        name: _summarise_class([case.metrics[name] for case in cases], table[number], intervals, name)
        for number, name in enumerate(names)
    }
    overall = {score: intervals[score] for score in SCORES if score in intervals}
    return {
        "cases": len(cases),
        "patients": len(set(patients)),
        "bootstrap": {"draws": chosen.samples, "seed": chosen.seed, "over": "patients"},
        "classes": classes,
        "mean": {score: of.value for score, of in overall.items()} or None,
        "mean_interval": {score: _ends(of) for score, of in overall.items()} or None,
    }


def agreement(metrics: Sequence[ClassMetrics]) -> dict[str, float]:
    """The mean difference of predicted and true volume, and its limits of agreement (Bland and Altman 1986).

    Args:
        metrics: Of one class, a case each.

    Returns:
        ``mean``, ``lower`` and ``upper`` in millilitres, prediction less reference.
    """
    differences = np.array([one.volume_pred_ml - one.volume_truth_ml for one in metrics])
    mean = float(differences.mean())
    spread = LIMITS * float(differences.std(ddof=1)) if len(differences) > 1 else 0.0
    return {"mean": mean, "lower": mean - spread, "upper": mean + spread}


def _table(cases: Sequence[ScoredCase], names: Sequence[str]) -> NDArray[np.float64]:
    """`(classes, cases, scores)`; NaN where there is no such number."""
    empty = np.full((len(names), len(cases), len(SCORES)), np.nan)
    for row, name in enumerate(names):
        for column, case in enumerate(cases):
            values = case.metrics[name].values()
            empty[row, column] = [np.nan if (value := values[score]) is None else value for score in SCORES]
    return empty


def _intervals(
    table: NDArray[np.float64], names: Sequence[str], patients: Sequence[str], draws: Bootstrap
) -> dict[str, Interval]:
    """Intervals of each class's means, as `class/score`, and of the means over classes, as `score`."""
    known = np.asarray(np.isfinite(table), dtype=np.bool_)
    filled = np.where(known, table, 0.0)
    there = np.asarray(known.any(axis=(0, 1)))

    def means(chosen: NDArray[np.intp]) -> Mapping[str, float]:
        counts = known[:, chosen].sum(axis=1)
        of_class = np.divide(filled[:, chosen].sum(axis=1), counts, out=np.full(counts.shape, np.nan), where=counts > 0)
        found = {
            f"{name}/{score}": of_class[row, column]
            for row, name in enumerate(names)
            for column, score in enumerate(SCORES)
            if there[column]
        }
        return found | {score: of_class[:, column].mean() for column, score in enumerate(SCORES) if there[column]}

    return bootstrap(means, patients, samples=draws.samples, seed=draws.seed)


def _summarise_class(
    metrics: Sequence[ClassMetrics], table: NDArray[np.float64], intervals: Mapping[str, Interval], name: str
) -> dict[str, Any]:
    summary: dict[str, Any] = {"n": len(metrics), "n_in_reference": sum(one.volume_truth_ml > 0 for one in metrics)}
    for column, score in enumerate(SCORES):
        if f"{name}/{score}" not in intervals:
            continue
        values = table[:, column][~np.isnan(table[:, column])]
        mean = intervals[f"{name}/{score}"]
        summary[score] = {
            "mean": mean.value,
            **_ends(mean),
            "median": float(np.median(values)),
            "std": float(values.std()),
        }
    counts = LesionCounts(
        **{key: sum(getattr(one.lesions, key) for one in metrics) for key in ("truth", "found", "pred", "right")}
    )
    summary["lesions"] = {
        "truth": counts.truth, "found": counts.found, "pred": counts.pred, "right": counts.right,
        "sensitivity": counts.sensitivity, "precision": counts.precision, "f1": counts.f1,
    }  # fmt: skip
    summary["volume_bias_ml"] = agreement(metrics)
    return summary


def _ends(interval: Interval) -> dict[str, float | None]:
    ends = {"low": interval.low, "high": interval.high}
    return {key: number if np.isfinite(number) else None for key, number in ends.items()}

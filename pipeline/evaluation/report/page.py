"""The report of an evaluation: one page for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from pipeline.evaluation.report.plots import MOST_ROWS, bland_altman, case_rows, colours_of, score_strips
from pipeline.evaluation.results import Evaluation, ScoredCase
from pipeline.reports import write_page
from pipeline.reports.wording import number, plain_name

TITLES = {
    "dice": ("Dice", 3),
    "hd95_mm": ("HD95 (mm)", 1),
    "nsd": ("NSD", 3),
    "volume_error_ml": ("Volume error (ml)", 1),
    "volume_error_percent": ("Volume error (%)", 1),
    "lesion_sensitivity": ("Lesion sensitivity", 3),
    "lesion_precision": ("Lesion precision", 3),
    "lesion_f1": ("Lesion F1", 3),
    "adjusted_rand": ("Adjusted Rand", 3),
    "calibration_error": ("Calibration error", 4),
}
"""How people call the scores, and their decimals."""

_KEYS = ("dice", "hd95_mm", "nsd", "volume_error_ml", "lesion_f1")
_CASE_COLUMNS = ("dice", "hd95_mm", "nsd", "volume_truth_ml", "volume_pred_ml", "lesion_f1", "adjusted_rand")
_CASE_TITLES = TITLES | {
    "adjusted_rand": ("ARI", 3),
    "volume_truth_ml": ("Reference (ml)", 1),
    "volume_pred_ml": ("Prediction (ml)", 1),
}


def write_report(path: str | PathLike[str], evaluation: Evaluation, summary: Mapping[str, Any]) -> None:
    """Write `report.html`.

    Args:
        path: The file.
        evaluation: What was compared.
        summary: Of it (:func:`pipeline.evaluation.summary.summarise`).

    Raises:
        OutputError: When the file cannot be written.
    """
    cases = worst_first(evaluation.scored)
    classes = evaluation.classes
    shown = [score for score in TITLES if any(score in of_class for of_class in summary["classes"].values())]
    write_page(
        path,
        "evaluation.html",
        evaluation=evaluation,
        summary=summary,
        settings=evaluation.settings.record(),
        keys=[_key(summary, score) for score in _KEYS] if summary["mean"] else [],
        class_columns=["", *(plain_name(name) for name in classes)],
        class_rows=_class_rows([summary["classes"][name] for name in classes], shown),
        colours=[(plain_name(name), colour) for name, colour in colours_of(classes).items()],
        strips=[
            score_strips(cases, classes, summary["classes"], score, TITLES[score][0])
            for score in ("dice", "hd95_mm", "nsd", "lesion_f1")
            if cases
        ],
        agreements=[
            (plain_name(name), bland_altman(cases, name, colour))
            for name, colour in colours_of(classes).items()
            if cases
        ],
        single=case_rows(cases, classes) if cases else "",
        most_rows=MOST_ROWS,
        case_columns=["Case", "Class", *(_CASE_TITLES[one][0] for one in _CASE_COLUMNS), "Missed", "Invented"],
        case_rows=[row for case in cases for row in _case_rows(case)],
    )  # fmt: skip


def worst_first(cases: Sequence[ScoredCase]) -> list[ScoredCase]:
    """Cases by their Dice, the mean over the classes that are in the reference or the prediction; the worst first."""
    return sorted(cases, key=lambda case: (_mean_dice(case), case.case))


def _mean_dice(case: ScoredCase) -> float:
    there = [one.dice for one in case.metrics.values() if one.volume_truth_ml or one.volume_pred_ml]
    return sum(there) / len(there) if there else 1.0


def _key(summary: Mapping[str, Any], score: str) -> tuple[str, str, str]:
    title, digits = TITLES[score]
    return title, number(summary["mean"][score], digits), _interval(summary["mean_interval"][score], digits)


def _interval(of_score: Mapping[str, Any], digits: int) -> str:
    return f"{number(of_score['low'], digits)} to {number(of_score['high'], digits)}"


def _class_rows(classes: Sequence[Mapping[str, Any]], scores: Sequence[str]) -> list[list[str]]:
    """A row a score, a column a class."""
    rows = [["Cases with it in the reference", *(f"{one['n_in_reference']} of {one['n']}" for one in classes)]]
    for score in scores:
        title, digits = TITLES[score]
        found = [one.get(score) for one in classes]
        rows.append([title, *(f"{number(f['mean'], digits)} [{_interval(f, digits)}]" if f else "–" for f in found)])
    lesions = [one["lesions"] for one in classes]
    rows.append(["Lesions found, over all cases", *(f"{one['found']} of {one['truth']}" for one in lesions)])
    rows.append(["Predicted lesions that are right", *(f"{one['right']} of {one['pred']}" for one in lesions)])
    return rows


def _case_rows(case: ScoredCase) -> list[list[str]]:
    rows = []
    for name, metrics in case.metrics.items():
        values = metrics.values()
        lesions = metrics.lesions
        numbers = [number(_as_float(values[score]), _CASE_TITLES[score][1]) for score in _CASE_COLUMNS]
        ends = [str(lesions.truth - lesions.found), str(lesions.pred - lesions.right)]
        rows.append([case.case, plain_name(name), *numbers, *ends])
    return rows


def _as_float(value: float | int | None) -> float | None:
    return None if value is None else float(value)

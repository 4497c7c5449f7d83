"""What the report draws: scores of every case, and whether volumes agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from pipeline.evaluation.results import ScoredCase
from pipeline.evaluation.summary import agreement
from pipeline.reports.svg import COLOURS, UNIT, Chart, Range
from pipeline.reports.wording import number, plain_name

MOST_ROWS = 40
"""Cases of the plot of single cases; the table below it has them all."""

_ROW = 26
_TOP = 22


def colours_of(classes: Sequence[str]) -> dict[str, str]:
    """A colour a class."""
    return {name: COLOURS[position % len(COLOURS)] for position, name in enumerate(classes)}


def score_strips(
    cases: Sequence[ScoredCase], classes: Sequence[str], summary: Mapping[str, Any], score: str, title: str
) -> Markup:
    """A row a class: every case a dot, their mean a stroke, its interval a bar.

    Args:
        cases: Those that have metrics.
        classes: Their classes.
        summary: `classes` of :func:`pipeline.evaluation.summary.summarise`.
        score: Name of the score.
        title: How people call it.
    """
    values = {name: [float(case.metrics[name].values()[score] or 0.0) for case in cases] for name in classes}
    every = [value for of_class in values.values() for value in of_class]
    axis = UNIT if score in _UP_TO_ONE else Range.over(every, zero=True)
    chart = Chart(x=axis, y=None, height=2 * _ROW * len(classes), left=170)
    for row, (name, colour) in enumerate(colours_of(classes).items()):
        middle = _TOP + (2 * row + 1) * _ROW
        chart.row_name(middle, plain_name(name))
        for place, (case, value) in enumerate(zip(cases, values[name], strict=True)):
            # Side by side in height, so that equal values do not hide each other.
            chart.dot(value, middle + (place % 5 - 2) * 4, colour, f"{case.case}: {number(value, 3)}")
        of_class = summary[name][score]
        if of_class["low"] is not None:
            chart.bar(of_class["low"], of_class["high"], middle, "var(--ink)")
        chart.mark(of_class["mean"], middle, "var(--ink)")
    return chart.svg(f"{title} of every case by class, with the mean and its 95 % interval", title)


def bland_altman(cases: Sequence[ScoredCase], name: str, colour: str) -> Markup:
    """The difference of predicted and true volume over their mean (Bland and Altman 1986).

    Args:
        cases: Those that have metrics.
        name: The class.
        colour: Of the dots.
    """
    metrics = [case.metrics[name] for case in cases]
    means = [(one.volume_pred_ml + one.volume_truth_ml) / 2 for one in metrics]
    differences = [one.volume_pred_ml - one.volume_truth_ml for one in metrics]
    limits = agreement(metrics)
    chart = Chart(x=Range.over(means, zero=True), y=Range.over([*differences, *limits.values()], zero=True))
    chart.level(limits["mean"], f"mean {number(limits['mean'])}", dashed=False)
    if len(metrics) > 1:
        chart.level(limits["upper"], f"+1.96 SD {number(limits['upper'])}", dashed=True)
        chart.level(limits["lower"], f"−1.96 SD {number(limits['lower'])}", dashed=True)
    for case, mean, difference in zip(cases, means, differences, strict=True):
        chart.dot(
            mean, chart.up(difference), colour, f"{case.case}: {number(difference, 2)} ml of {number(mean, 2)} ml"
        )
    return chart.svg(
        f"Bland-Altman plot of the volume of {plain_name(name)}",
        "mean of prediction and reference (ml)",
        "prediction − reference (ml)",
    )


def case_rows(cases: Sequence[ScoredCase], classes: Sequence[str]) -> Markup:
    """Dice of single cases, a row each, the worst at the top.

    Args:
        cases: Those that have metrics, the worst first; :data:`MOST_ROWS` of them are drawn.
        classes: Their classes.
    """
    shown = cases[:MOST_ROWS]
    chart = Chart(x=UNIT, y=None, height=_ROW * max(1, len(shown)), left=200, width=760)
    for row, case in enumerate(shown):
        middle = _TOP + (row + 0.5) * _ROW
        chart.row_name(middle, case.case)
        for name, colour in colours_of(classes).items():
            value = case.metrics[name].dice
            chart.dot(value, middle, colour, f"{case.case}, {plain_name(name)}: {number(value, 3)}", radius=6)
    return chart.svg("Dice of each case and class, the worst cases first", "Dice")


_UP_TO_ONE = frozenset({"dice", "nsd", "lesion_f1", "lesion_sensitivity", "lesion_precision", "adjusted_rand"})

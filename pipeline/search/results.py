"""What a search found: a table, a page, and the overlay of the best trial."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from pipeline.export.files import replacing
from pipeline.reports import write_page
from pipeline.reports.svg import COLOURS, Chart, Range
from pipeline.reports.wording import number
from pipeline.search.space import Parameter, Space


def write_results(study: Any, space: Space, out: Path) -> None:
    """Write `trials.csv`, `report.html`, and `best.yaml` once a trial is complete.

    Args:
        study: Optuna's study.
        space: What is varied.
        out: Folder for them.

    Raises:
        OutputError: When a file cannot be written.
    """
    keys = [parameter.key for parameter in space.parameters]
    cut_off = set(study.user_attrs.get("cut_off", ()))
    rows = [_row(trial, keys, cut_off=trial.number in cut_off) for trial in study.trials]
    columns = ["trial", "state", "score", "epochs", "seconds", *keys, "folder", "error"]
    with replacing(out / "trials.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    complete = [trial for trial in study.trials if trial.value is not None and trial.state.name == "COMPLETE"]
    best = max(complete, key=lambda trial: trial.value, default=None)
    if best is not None:
        values = {**space.fixed, **{one.key: _value(one, best) for one in space.parameters}}
        with replacing(out / "best.yaml") as temporary:
            comment = f"# Trial {best.number}: best validation {best.value:.4f}\n"
            temporary.write_text(comment + yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    ranked = sorted(rows, key=lambda row: (row[2] == "", -float(row[2] or 0)))
    write_page(
        out / "report.html",
        "search.html",
        columns=[*columns[:-2], "error"],
        rows=[[_shown(cell) for cell in row[:-2] + row[-1:]] for row in ranked],
        best=best and {"number": best.number, "score": number(best.value, 4)},
        count=len(rows),
        history=_history(complete) if complete else "",
        plots=[(one.key, _by_value(one, complete)) for one in space.parameters] if complete else [],
    )


def _row(trial: Any, keys: Sequence[str], *, cut_off: bool) -> list[Any]:
    known = trial.user_attrs
    error = "cut off; run again" if cut_off else known.get("error", "")
    score = "" if trial.value is None or trial.state.name != "COMPLETE" else round(trial.value, 6)
    values = [trial.params.get(key, "") for key in keys]
    return [
        trial.number, trial.state.name.lower(), score, known.get("epochs", ""), known.get("seconds", ""), *values,
        known.get("folder", ""), error,
    ]  # fmt: skip


def _value(parameter: Parameter, trial: Any) -> Any:
    value = trial.params[parameter.key]
    return json.loads(value) if parameter.choices else value


def _shown(cell: Any) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def _history(complete: Sequence[Any]) -> Markup:
    """The score of each trial, and the best so far."""
    scores = [trial.value for trial in complete]
    numbers = [float(trial.number) for trial in complete]
    chart = Chart(x=Range.over(numbers, zero=True), y=Range.over(scores), width=520)
    best = complete[0].value
    for trial in complete:
        if trial.value >= best:
            best = trial.value
            chart.dot(trial.number, chart.up(best), COLOURS[1], f"best so far: {number(best, 4)}", radius=8)
        chart.dot(trial.number, chart.up(trial.value), COLOURS[0], f"trial {trial.number}: {number(trial.value, 4)}")
    chart.level(best, f"best {number(best, 4)}", dashed=True)
    return chart.svg("Score of every complete trial", "trial", "best validation")


def _by_value(parameter: Parameter, complete: Sequence[Any]) -> Markup:
    """The score over the values of one key; choices stand beside each other."""
    values = [trial.params[parameter.key] for trial in complete]
    places = [float(parameter.choices.index(one)) if parameter.choices else float(one) for one in values]
    shown = [math.log10(place) for place in places] if parameter.log else places
    chart = Chart(x=Range.over(shown), y=Range.over([trial.value for trial in complete]))
    for trial, place, value in zip(complete, shown, values, strict=True):
        chart.dot(place, chart.up(trial.value), COLOURS[0], f"{parameter.key} {value}: {number(trial.value, 4)}")
    name = f"log10 of {parameter.key}" if parameter.log else parameter.key
    if parameter.choices:
        name += ": " + ", ".join(f"{place} is {choice}" for place, choice in enumerate(parameter.choices))
    return chart.svg(f"Score over {parameter.key}", name, "best validation")

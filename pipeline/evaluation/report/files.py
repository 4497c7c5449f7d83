"""All files of an evaluation."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from pipeline.evaluation.metric_files import write_metrics
from pipeline.evaluation.report.page import write_report
from pipeline.evaluation.results import Evaluation
from pipeline.evaluation.summary import Bootstrap


def write_evaluation(
    folder: str | PathLike[str], evaluation: Evaluation, draws: Bootstrap | None = None
) -> dict[str, Any]:
    """Write `metrics.csv`, `metrics.json` and `report.html`.

    Args:
        folder: Where to; created where missing.
        evaluation: What was compared.
        draws: How intervals are made.

    Returns:
        The summary (:func:`pipeline.evaluation.summary.summarise`).

    Raises:
        OutputError: When a file cannot be written.
    """
    summary = write_metrics(folder, evaluation, draws)
    write_report(Path(folder) / "report.html", evaluation, summary)
    return summary

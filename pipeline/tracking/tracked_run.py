"""MLflow, where a bundle is run with `--tracking mlflow`.

MONAI then adds its `MLFlowHandler` to a workflow: losses, metrics and the configuration. A config calls :func:`begin`
with its handlers before the run, and :func:`conclude` after it; without that option both do nothing.
"""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from statistics import fmean
from typing import Any

from monai.handlers import MLFlowHandler

from pipeline.bundle.identity import bundle_identity

logger = logging.getLogger(__name__)

LONGEST = 500
"""Characters of a parameter: more is cut, for MLflow's stores bound it."""
PICTURES = (".png",)
TABLES = (".csv", ".json")
TEXT = ("case", "status", "error")


def begin(
    handlers: Sequence[Any],
    bundle_root: str | PathLike[str],
    weights: str | Sequence[str] | None,
    parameters: Mapping[str, Any],
) -> None:
    """Has the run's parameters recorded, and the run kept open until :func:`conclude`.

    Args:
        handlers: Of the engine, as the config made them.
        bundle_root: The bundle's folder.
        weights: The weights that are used, or started from.
        parameters: Settings by name.
    """
    identity = bundle_identity(Path(bundle_root), weights)
    known = {"bundle": identity.name, "bundle_version": identity.version, "weights_hash": identity.weights_hash}
    for handler in _tracking(handlers):
        named = {**known, **parameters}
        handler.experiment_param = {name: str(value)[:LONGEST] for name, value in named.items() if value is not None}
        handler.close_on_complete = False
        handler.output_transform = _loss


def conclude(
    handlers: Sequence[Any],
    bundle_root: str | PathLike[str],
    output_dir: str | PathLike[str],
    weights: Iterable[str | PathLike[str] | Sequence[str | PathLike[str]]] = (),
) -> None:
    """Adds what a run has written, and the bundle, and ends the run in the tracker.

    Args:
        handlers: See :func:`begin`.
        bundle_root: The bundle's folder: its configs are kept.
        output_dir: Its tables and pictures are kept, with their folders, and the figures of `cases.csv` as metrics.
        weights: Files that are kept beside the configs, where they are there; those of an ensemble in folders 0, 1, ….
    """
    for handler in _tracking(handlers):
        run: Any = handler.cur_run
        if run is None:
            continue
        client, run_id = handler.client, run.info.run_id
        for name, value in cohort_figures(Path(output_dir) / "cases.csv").items():
            client.log_metric(run_id, name, value)
        client.log_artifacts(run_id, str(Path(bundle_root) / "configs"), "bundle/configs")
        for place, path in weights_files(weights):
            client.log_artifact(run_id, str(path), place)
        for path in written(Path(output_dir)):
            folder = path.parent.relative_to(output_dir).as_posix()
            client.log_artifact(run_id, str(path), "results" if folder == "." else f"results/{folder}")
        handler.close()
        logger.info("run %s of experiment %s is in the tracker", run_id, handler.experiment_name)


def weights_files(weights: Iterable[str | PathLike[str] | Sequence[str | PathLike[str]]]) -> list[tuple[str, Path]]:
    """The folder in the tracker of each weights file that is there; files of an ensemble often share one name."""
    found = []
    for given in weights:
        if isinstance(given, str | PathLike):
            found.append(("bundle/models", Path(given)))
        else:
            found += [(f"bundle/models/{number}", Path(one)) for number, one in enumerate(given)]
    return [(place, path) for place, path in found if path.is_file()]


def written(folder: Path) -> list[Path]:
    """Tables and pictures of a run; nothing of the tracker's own, and no volumes."""
    own = ("mlruns", "tensorboard")
    found = (path for path in sorted(folder.rglob("*")) if path.suffix in (*PICTURES, *TABLES) and path.is_file())
    return [path for path in found if path.relative_to(folder).parts[0] not in own]


def _loss(output: Any) -> Any:
    """The loss of an iteration, whether the trainer took the batch apart (MONAI's default) or left it whole."""
    first = output[0] if isinstance(output, list) else output
    return first.get("loss") if isinstance(first, Mapping) else None


def cohort_figures(table: Path) -> dict[str, float]:
    """How many cases are done and failed, and the mean of each column of numbers of `cases.csv`."""
    if not table.is_file():
        return {}
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    done = [row for row in rows if row["status"] == "done"]
    figures = {"cases_done": float(len(done)), "cases_failed": float(len(rows) - len(done))}
    for name in (column for column in (rows[0] if rows else {}) if column not in TEXT):
        numbers = [number for number in (_number(row[name]) for row in done) if number is not None]
        if numbers:
            figures[f"mean_{name}"] = fmean(numbers)
    return figures


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _tracking(handlers: Sequence[Any]) -> list[MLFlowHandler]:
    return [handler for handler in handlers if isinstance(handler, MLFlowHandler)]

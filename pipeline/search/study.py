"""A search: trials that Optuna chooses, kept in a database so that it goes on where it was stopped."""

from __future__ import annotations

import itertools
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.export.files import make_folder
from pipeline.search.results import write_results
from pipeline.search.space import Space
from pipeline.search.training import Training
from transforms.errors import MissingExtraError, SettingError

logger = logging.getLogger(__name__)

Sampler = Literal["random", "grid", "tpe"]

DATABASE = "search.db"


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """How a search goes.

    Attributes:
        trials: How many in all, those of earlier runs included; a grid ends earlier.
        sampler: `random`, `grid`, or `tpe` (which learns from the trials before).
        prune: Whether trials that are worse than the median of the others at the same epoch are stopped.
        seed: Of what is drawn.
    """

    trials: int = 20
    sampler: Sampler = "random"
    prune: bool = False
    seed: int = 0


def search(training: Training, space: Space, out: Path, settings: SearchSettings) -> Any:
    """Runs trials until there are enough; files are written after each.

    Args:
        training: What a trial is.
        space: What is varied.
        out: Folder for `search.db`, `trials.csv`, `best.yaml` and `report.html`.
        settings: How many, and how they are chosen.

    Returns:
        Optuna's study.

    Raises:
        MissingExtraError: Without Optuna.
        SettingError: When an earlier search in this folder had another space.
    """
    optuna = _optuna()
    make_folder(out)
    states = optuna.trial.TrialState
    study = optuna.create_study(
        storage=f"sqlite:///{(out / DATABASE).absolute()}",
        study_name="search",
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner() if settings.prune else optuna.pruners.NopPruner(),
    )
    _take_up(study, space, states)
    study.sampler = _sampler(optuna, settings, len(study.trials))
    most = settings.trials
    if settings.sampler == "grid":
        points = list(itertools.product(*(parameter.grid() for parameter in space.parameters)))
        most = min(most, len(points))
        for point in points[:most]:
            chosen = dict(zip((parameter.key for parameter in space.parameters), point, strict=True))
            study.enqueue_trial(chosen, skip_if_exists=True)
    while _done(study) < most:
        _run_one(study, training, space, states)
        write_results(study, space, out)
    write_results(study, space, out)
    return study


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError(
            "a search needs Optuna, which is not installed", remedy="Install it with: pip install 'ctvol[search]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _sampler(optuna: Any, settings: SearchSettings, done: int) -> Any:
    # The points of a grid are all known: they wait in the study, and nothing is drawn.
    kind = optuna.samplers.TPESampler if settings.sampler == "tpe" else optuna.samplers.RandomSampler
    # What is drawn after a stop must not be what was drawn before it.
    return kind(seed=settings.seed + done)


def _done(study: Any) -> int:
    """Trials that were run to their end, whatever that was; those that were cut off are run again."""
    cut_off = set(study.user_attrs.get("cut_off", ()))
    return sum(trial.state.is_finished() and trial.number not in cut_off for trial in study.trials)


def _take_up(study: Any, space: Space, states: Any) -> None:
    """Runs again what was cut off; refuses a folder of another search."""
    keys = [parameter.key for parameter in space.parameters]
    known = study.user_attrs.get("space")
    record = {"keys": keys, "fixed": dict(space.fixed)}
    if known is not None and known != record:
        raise SettingError(
            "the folder holds a search over something else", found=f"{known}", expected=f"{record}",
            remedy="Choose another output folder",
        )  # fmt: skip
    study.set_user_attr("space", record)
    for trial in study.trials:
        if trial.state == states.RUNNING:
            study.enqueue_trial(trial.params)
            study.set_user_attr("cut_off", [*study.user_attrs.get("cut_off", ()), trial.number])
            study.tell(trial.number, state=states.FAIL)


def _run_one(study: Any, training: Training, space: Space, states: Any) -> None:
    trial = study.ask()
    values = {parameter.key: parameter.suggest(trial) for parameter in space.parameters}
    logger.info("trial %d: %s", trial.number, ", ".join(f"{key} {value}" for key, value in values.items()))
    every = {**space.fixed, **values}
    trial.set_user_attr("folder", training.folder_of(every).name)
    begun = time.perf_counter()

    def report(epoch: int, best: float) -> bool:
        trial.report(best, epoch)
        return bool(trial.should_prune())

    found, error = training.run(every, report)
    trial.set_user_attr("seconds", round(time.perf_counter() - begun, 1))
    trial.set_user_attr("epochs", found.epoch if found else 0)
    if error == "":
        study.tell(trial, state=states.PRUNED)
    elif error is not None or found is None or found.best is None:
        trial.set_user_attr("error", error or "the training was never validated")
        study.tell(trial, state=states.FAIL)
    else:
        study.tell(trial, found.best)
    done = study.trials[trial.number]
    logger.info("trial %d: %s %s", trial.number, done.state.name.lower(), error or done.value)

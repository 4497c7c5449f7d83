"""A worker: the workflow of a configuration, with a model of its own, that does the cases it is asked for."""

from __future__ import annotations

import logging
import os
import pickle
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from threading import Lock, Thread
from typing import Any

import torch
from monai.bundle import ConfigParser

from pipeline.cohorts.evaluator import CaseEvaluator
from pipeline.cohorts.progress import RunStoppedError
from pipeline.cohorts.workers.feed import CaseFeed, Outcome
from transforms.errors import root_error

QUIET = {"_target_": "pipeline.cohorts.CaseProgress", "bar": False}
"""What a worker tells of its progress: who runs the workers draws the bar."""


class Worker:
    """Does cases with the evaluator of a configuration.

    The model is loaded once, with the first case or before. Several cases may be asked for at a time, from as many
    threads: they go through reading, network and writing one behind the other.

    Args:
        config: The workflow's configuration, as `pipeline.bundle.running_config` gives it.
        device: Where the network runs.
        threads: Of torch's operations on processors; `None` leaves them alone.
        log_level: Of the log lines on stderr; `None` for none.
        temporary: Where temporary files of this process go, that of fetched series and unpacked zips; `None` for the
            usual place.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        device: str,
        threads: int | None = None,
        log_level: int | None = None,
        temporary: str | None = None,
    ) -> None:
        self._config = {**config, "cases": [], "engine": "local", "jobs": 1, "device": device, "progress": QUIET}
        self._threads = threads
        self._log_level = log_level
        self._temporary = temporary
        self._lock = Lock()
        self._evaluator: CaseEvaluator | None = None
        self._feed = CaseFeed()
        self._thread: Thread | None = None

    def load(self) -> int:
        """Loads the model where it is not loaded yet, and gives the process's number.

        Raises:
            CTError: What is wrong with the configuration or the weights.
        """
        with self._lock:
            if self._evaluator is None:
                try:
                    self._evaluator = self._made()
                except Exception as error:  # noqa: BLE001  # boundary: told to who asked
                    # MONAI wraps what its parts raise, and only the error itself crosses to another process
                    raise root_error(error) from None
                self._thread = Thread(target=self._serve, args=(self._evaluator,), daemon=True)
                self._thread.start()
        return os.getpid()

    def _made(self) -> CaseEvaluator:
        if self._log_level is not None:
            _log(self._log_level)
        if self._temporary is not None:
            tempfile.tempdir = self._temporary
        if self._threads is not None:
            torch.set_num_threads(self._threads)
        parser = ConfigParser(self._config)
        parser.get_parsed_content("initialize")
        evaluator: CaseEvaluator = parser.get_parsed_content("evaluator")
        return evaluator

    def process(self, item: Mapping[str, Any]) -> Outcome:
        """Does a case.

        Raises:
            CTError: What keeps every case from being done: a full disk.
        """
        self.load()
        outcome = self._feed(item)
        return outcome if outcome.failure is None else replace(outcome, failure=_portable(outcome))

    def end(self) -> None:
        """Ends the run; what it holds back is written."""
        self._feed.close()
        if self._thread is not None:
            self._thread.join()

    def interrupt(self) -> None:
        """Ends the run soon: the case that is being written is finished, the others are left."""
        if self._evaluator is not None:
            self._evaluator.interrupt()
        self.end()

    def _serve(self, evaluator: CaseEvaluator) -> None:
        try:
            evaluator.serve(self._feed)
        except Exception as error:  # noqa: BLE001  # boundary: it goes on to whoever waits for a case
            self._feed.close(error)
        except RunStoppedError:
            self._feed.close()


def _portable(outcome: Outcome) -> Any:
    """The failure, with an error that can cross to another process."""
    failure = outcome.failure
    if failure is None:
        return None
    try:
        pickle.loads(pickle.dumps(failure.error))
    except Exception:  # noqa: BLE001  # boundary: errors of others may hold anything
        return replace(failure, error=RuntimeError(f"{type(failure.error).__name__}: {failure.error}"))
    return failure


def _log(level: int) -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", datefmt="%H:%M:%S")
    for name in ("pipeline", "transforms"):
        logging.getLogger(name).setLevel(level)

"""Workers in processes of their own on this machine."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Mapping
from multiprocessing.managers import BaseManager
from tempfile import TemporaryDirectory
from threading import Lock, Thread
from typing import Any

from pipeline.cohorts.workers.errors import WorkerKilledError
from pipeline.cohorts.workers.feed import Outcome
from pipeline.cohorts.workers.worker import Worker

_LOST = (EOFError, ConnectionError, BrokenPipeError)
"""What a call of a worker ends with whose process is gone."""


class _Process(BaseManager):
    """A process that holds a worker, and answers each thread that calls it in a thread of its own."""


_Process.register("worker", Worker)


class LocalWorker:
    """A worker in a process of its own, which is started again when it was killed.

    Its temporary files lie in a folder that is removed here, for a process that is killed removes nothing.

    Args:
        config: The workflow's configuration.
        options: Further arguments of :class:`pipeline.cohorts.workers.worker.Worker`.
    """

    def __init__(self, config: Mapping[str, Any], **options: Any) -> None:
        self._config = dict(config)
        self._options = {**options, "log_level": logging.getLogger("pipeline").getEffectiveLevel()}
        self._lock = Lock()
        self._process: _Process | None = None
        self._temporary: TemporaryDirectory[str] | None = None
        self._worker: Any = None

    def load(self) -> None:
        """Starts the process, and loads the model.

        Raises:
            WorkerKilledError: When the process is gone before it is ready.
            CTError: What is wrong with the configuration or the weights.
        """
        self._started()

    def process(self, item: Mapping[str, Any]) -> Outcome:
        """Does a case; to be called from several threads, one for each case in hand.

        Raises:
            WorkerKilledError: When the process is gone before the case was done.
        """
        worker = self._started()
        try:
            outcome: Outcome = worker.process(item)
        except _LOST as error:
            self._forget(worker)
            raise WorkerKilledError(where=str(item["case"])) from error
        return outcome

    def end(self) -> None:
        """Lets what is in hand come to its end, and ends the process."""
        self._leave("end")

    def interrupt(self) -> None:
        """Lets what is being written come to its end, and ends the process."""
        self._leave("interrupt")

    def _started(self) -> Any:
        with self._lock:
            if self._worker is None:
                context = multiprocessing.get_context("forkserver")
                # Imported once, not by each worker.
                context.set_forkserver_preload(["pipeline.cohorts.workers.worker"])
                self._temporary = TemporaryDirectory(prefix="ctvol-", ignore_cleanup_errors=True)
                options = {**self._options, "temporary": self._temporary.name}
                try:
                    self._process = _Process(ctx=context)
                    self._process.start(_end_with_parent)
                    worker: Any = self._process.worker(self._config, **options)  # type: ignore[attr-defined]
                    worker.load()
                except _LOST as error:
                    raise WorkerKilledError(where="starting a worker") from error
                self._worker = worker
            return self._worker

    def _forget(self, worker: Any) -> None:
        with self._lock:
            if self._worker is worker:
                self._worker = None
                self._shut_down()

    def _leave(self, how: str) -> None:
        with self._lock:
            worker, self._worker = self._worker, None
            try:
                if worker is not None:
                    getattr(worker, how)()
            except _LOST:
                pass  # it is gone already
            self._shut_down()

    def _shut_down(self) -> None:
        if self._process is not None:
            self._process.shutdown()
            self._process = None
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None


def _end_with_parent() -> None:
    """Makes a worker's process end when the one that started it is gone, however it ended."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    Thread(target=watch, daemon=True).start()

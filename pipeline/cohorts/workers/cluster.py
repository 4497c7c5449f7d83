"""Workers as actors of a Ray cluster."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pipeline.cohorts.workers.errors import WorkerKilledError
from pipeline.cohorts.workers.feed import Outcome
from pipeline.cohorts.workers.worker import Worker
from transforms.errors import ArchiveError, MissingExtraError, NotFoundError, root_error

logger = logging.getLogger(__name__)

RETRIES = 1
"""How often Ray gives a case to an actor again that was killed while it was at it."""


class RayWorker:
    """An actor that holds a worker; Ray starts it again when it was killed, and gives it its cases again.

    Args:
        config: The workflow's configuration.
        cpus: Processors that an actor takes.
        gpus: GPUs that an actor takes.
        in_hand: Cases at a time.
        options: Further arguments of :class:`pipeline.cohorts.workers.worker.Worker`.
    """

    def __init__(self, config: Mapping[str, Any], *, cpus: float, gpus: float, in_hand: int, **options: Any) -> None:
        ray = import_ray()
        actor = ray.remote(Worker).options(
            num_cpus=cpus,
            num_gpus=gpus,
            max_restarts=-1,
            max_task_retries=RETRIES,
            max_concurrency=in_hand + 2,  # and load, end and interrupt beside them
        )
        self._actor = actor.remote(dict(config), **options)

    def load(self) -> None:
        """Loads the model, where Ray finds room.

        Raises:
            WorkerKilledError: When the actor is gone before it is ready.
            CTError: What is wrong with the configuration or the weights.
        """
        _answer(self._actor.load.remote(), "starting a worker")

    def process(self, item: Mapping[str, Any]) -> Outcome:
        """Does a case; to be called from several threads, one for each case in hand.

        Raises:
            WorkerKilledError: When the actor was killed, again and again.
        """
        outcome: Outcome = _answer(self._actor.process.remote(dict(item)), str(item["case"]))
        if outcome.failure is not None:
            outcome.failure.log()
        return outcome

    def end(self) -> None:
        """Lets what is in hand come to its end, and gives the place back."""
        self._leave(self._actor.end)

    def interrupt(self) -> None:
        """Lets what is being written come to its end, and gives the place back."""
        self._leave(self._actor.interrupt)

    def _leave(self, how: Any) -> None:
        ray = import_ray()
        with suppress(WorkerKilledError):  # it is gone already
            _answer(how.remote(), "ending a worker")
        ray.kill(self._actor)


def import_ray() -> Any:
    """The package.

    Raises:
        MissingExtraError: When it is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("Ray is not installed", remedy="pip install 'ctvol[ray]'") from error
    return ray


def connect(address: str | None) -> None:
    """Joins the cluster at an address, or that of the environment (`RAY_ADDRESS`), or starts one on this machine.

    Raises:
        ClusterError: When there is none at the address.
    """
    ray = import_ray()
    if ray.is_initialized():
        return
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING, include_dashboard=None)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(
            "the Ray cluster cannot be reached",
            where=address,
            found=str(error).splitlines()[0],
            remedy="Check `ray status` there, or leave the address out to start one here",
        ) from error


class ClusterError(ArchiveError):
    """A cluster cannot be reached, or has no room."""


def count_actors(jobs: int | None, cpus: float, gpus: float | None) -> tuple[int, float]:
    """How many actors there shall be, and how many GPUs each takes.

    Args:
        jobs: As many as asked for; `None` for one a GPU, and without GPUs for as many as there is room.
        cpus: Processors that an actor takes.
        gpus: GPUs that an actor takes; `None` for one where the cluster has any.

    Raises:
        NotFoundError: When there is no room for one.
    """
    there = import_ray().cluster_resources()
    each = gpus if gpus is not None else float(there.get("GPU", 0) > 0)
    room = int(there.get("GPU", 0) // each) if each else int(there.get("CPU", 0) // cpus)
    if room < 1:
        raise NotFoundError(
            "the cluster has no room for a worker",
            found=f"{there.get('CPU', 0):g} processors and {there.get('GPU', 0):g} GPUs",
            expected=f"at least {cpus:g} processors and {each:g} GPUs",
            remedy="Change cluster#cpus and cluster#gpus",
        )
    return (jobs or room), each


def _answer(reference: Any, what: str) -> Any:
    ray = import_ray()
    try:
        return ray.get(reference)
    except ray.exceptions.RayActorError as error:
        raise WorkerKilledError(where=what) from error
    except ray.exceptions.RayTaskError as error:
        cause = error.cause if isinstance(error.cause, Exception) else error
        raise root_error(cause) from error

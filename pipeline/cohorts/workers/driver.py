"""Cases over workers: each gets the next when it has room; none is lost with a worker that is killed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event
from typing import Any, Protocol

from pipeline.cohorts.failures import Failure
from pipeline.cohorts.workers.errors import WorkerKilledError
from pipeline.cohorts.workers.feed import Outcome

Item = Mapping[str, Any]
SECONDS_BETWEEN_LOOKS = 1.0


class AnyWorker(Protocol):
    """What does cases: :class:`LocalWorker`, :class:`RayWorker`."""

    def load(self) -> None:
        """Gets ready."""

    def process(self, item: Item) -> Outcome:
        """Does a case."""

    def end(self) -> None:
        """Ends in an orderly way."""

    def interrupt(self) -> None:
        """Ends soon."""


class Driver:
    """Runs cases over workers.

    A case that was in hand when its worker was killed is done again at the end, alone: if its worker is killed then
    too, it is the case's failure, and nobody else's.

    Args:
        workers: Those that do the cases.
        in_hand: Cases that each has at a time.
    """

    def __init__(self, workers: Sequence[AnyWorker], *, in_hand: int) -> None:
        self.workers = workers
        self.in_hand = in_hand
        self._stopped = Event()

    def __enter__(self) -> Driver:
        """Gets the workers ready.

        Raises:
            CTError: What is wrong with the configuration, the weights or the cluster.
        """
        try:
            self._all_at_once("load")
        except BaseException:  # boundary: whatever ends it, no worker is left behind
            self._all_at_once("interrupt")
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Ends the workers: in an orderly way, or soon where something went wrong."""
        self._stopped.set()
        self._all_at_once("end" if kind is None else "interrupt")

    def __call__(self, items: Sequence[Item]) -> Iterator[Outcome]:
        """The outcomes of cases, as they come; `taken` among them where another process has one.

        Raises:
            CTError: What keeps all cases from being done.
        """
        suspects: list[Item] = []
        yield from self._together(items, suspects)
        yield from map(self._alone, suspects)

    def _together(self, items: Sequence[Item], suspects: list[Item]) -> Iterator[Outcome]:
        queue: deque[Item] = deque(items)
        outcomes: SimpleQueue[Outcome | BaseException | None] = SimpleQueue()

        def work(worker: AnyWorker) -> None:
            try:
                while queue and not self._stopped.is_set():
                    item = queue.popleft()
                    try:
                        outcomes.put(worker.process(item))
                    except WorkerKilledError:
                        suspects.append(item)
            except IndexError:
                pass  # another took the last
            except BaseException as error:  # noqa: BLE001  # boundary: it is raised in the thread that runs the cohort
                outcomes.put(error)
            outcomes.put(None)

        lanes = [worker for worker in self.workers for _ in range(self.in_hand)]
        with ThreadPoolExecutor(len(lanes), "worker") as pool:
            try:
                for worker in lanes:
                    pool.submit(work, worker)
                left = len(lanes)
                while left:
                    found = outcomes.get()
                    if isinstance(found, BaseException):
                        raise found
                    left -= found is None
                    if found is not None:
                        yield found
            except BaseException:  # boundary: the threads wait for workers that must be told first
                self._stopped.set()
                self._all_at_once("interrupt")
                raise

    def _alone(self, item: Item) -> Outcome:
        begun = time.perf_counter()
        try:
            return self.workers[0].process(item)
        except WorkerKilledError as error:
            case = str(item["case"])
            failure = Failure(case=case, error=error, seconds=time.perf_counter() - begun)
            failure.log()
            return Outcome(case=case, status="failed", failure=failure)

    def _all_at_once(self, what: str) -> None:
        with ThreadPoolExecutor(len(self.workers)) as pool:
            list(pool.map(lambda worker: getattr(worker, what)(), self.workers))

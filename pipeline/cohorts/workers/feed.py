"""Cases that are asked for one by one, as something that a loader can iterate over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Lock
from typing import Any, Literal

from pipeline.cohorts.failures import Failure

Item = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a case.

    Attributes:
        case: Its name.
        status: Done now, kept from an earlier run, failed, or taken by another process.
        failure: Where it failed.
    """

    case: str
    status: Literal["done", "kept", "failed", "taken"]
    failure: Failure | None = None


def outcome_of(state: Any) -> Outcome:
    """What became of the case that an evaluator's state is about."""
    failure: Failure | None = state.output.get("failure")
    case = str(state.batch["case"])
    if failure is not None:
        return Outcome(case=case, status="failed", failure=failure)
    return Outcome(case=case, status="kept" if "kept" in state.batch else "done")


class CaseFeed:
    """Hands cases to the one who iterates, and the outcome to the one who asked for them."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[Item | None] = SimpleQueue()
        self._waiting: dict[str, Future[Outcome]] = {}
        self._lock = Lock()
        self._over: BaseException | None = None

    def __call__(self, item: Mapping[str, Any]) -> Outcome:
        """Asks for a case, and waits for its outcome; to be called from as many threads as cases shall be in hand.

        Raises:
            Exception: What ended the run over the feed.
        """
        future: Future[Outcome] = Future()
        with self._lock:
            if self._over is not None:
                raise self._over
            self._waiting[str(item["case"])] = future
            self._asked.put(dict(item))
        return future.result()

    def __iter__(self) -> Iterator[Item]:
        """The cases, until the feed is closed."""
        while (item := self._asked.get()) is not None:
            yield item

    def answer(self, outcome: Outcome) -> None:
        """Tells what became of a case."""
        with self._lock:
            future = self._waiting.pop(outcome.case, None)
        if future is not None:
            future.set_result(outcome)

    def close(self, error: BaseException | None = None) -> None:
        """Ends it: whoever waits or asks from now on gets the error."""
        with self._lock:
            self._over = error or RuntimeError("the feed is closed")
            waiting, self._waiting = list(self._waiting.values()), {}
        self._asked.put(None)
        for future in waiting:
            future.set_exception(self._over)

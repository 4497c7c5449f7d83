"""Which cases of a run are left to do, and whose turn it is."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from threading import Event
from typing import Any

from ignite.engine import Engine, Events
from torch.utils.data import Sampler

from pipeline.cohorts.claims import Claims
from pipeline.cohorts.events import CohortEvents
from pipeline.cohorts.failures import FailedElsewhereError, Failure
from pipeline.cohorts.standing import EarlierResults, Standing
from pipeline.cohorts.workers.driver import Driver
from pipeline.cohorts.workers.feed import CaseFeed, Outcome
from pipeline.datasets.studies import Case
from pipeline.dicomweb.address import is_address
from pipeline.export import PROVENANCE_FILE, BundleIdentity, CaseTable
from pipeline.export.files import sweep
from pipeline.export.table import CASES_TABLE

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LOOKS = 1.0
"""How often cases are looked at that another process has."""

KEPT = "kept"
"""Key of an item whose case is done already: what its `provenance.json` says."""

Item = dict[str, Any]


class OpenCases(Sampler[Item]):
    """The cases of a run, each when this process may do it; sampler of the loader, and handler of the evaluator.

    A case that is done and counts comes as an item with `kept`, and nothing is read. One that another process works on
    is put off until that has ended: it is done then, or has failed there, or is free again. Everything else is claimed,
    and given back when the evaluator is through with it.

    Args:
        cases: Those of the run.
        output_dir: Where results go.
        bundle: What makes them.
        settings: What else results depend on.
    """

    def __init__(
        self,
        cases: Sequence[Case | Mapping[str, Any]],
        output_dir: str | PathLike[str],
        *,
        bundle: BundleIdentity,
        settings: Mapping[str, Any],
    ) -> None:
        self.cases = [case.data() if isinstance(case, Case) else dict(case) for case in cases]
        self.folder = Path(output_dir)
        self.claims = Claims(output_dir)
        self.earlier = EarlierResults(output_dir, bundle, settings)
        self.table = CaseTable(self.folder / CASES_TABLE)
        self._ended = Event()
        self.feed: CaseFeed | None = None

    def __len__(self) -> int:
        return len(self.cases)

    def __iter__(self) -> Iterator[Item]:
        """The cases, those that others have last."""
        self._ended.clear()
        if self.feed is not None:
            yield from self._asked_for(self.feed)
            return
        elsewhere: dict[str, dict[str, str] | None] = {}
        later: list[Item] = []
        for item in self.cases:
            if self._ended.is_set():
                return
            mine = self.claim(item)
            if mine is not None:
                yield mine
            else:
                elsewhere[item["case"]] = self.row(item["case"])
                later.append(item)
        if later:
            logger.info("%d cases are being done by another process: they are waited for", len(later))
        while later and not self._ended.is_set():
            item = later.pop(0)
            mine = self.claim(item)
            if mine is None:
                later.append(item)
                self._ended.wait(SECONDS_BETWEEN_LOOKS / len(later))
            else:
                yield self.ended_elsewhere(mine, elsewhere[item["case"]])

    def through(self, driver: Driver) -> Iterator[Outcome]:
        """The outcomes of all cases, done by workers in the place of this process.

        Raises:
            CTError: What keeps all cases from being done.
        """
        items = [_from_anywhere(item) for item in self.cases]
        elsewhere: dict[str, dict[str, str] | None] = {}
        with driver:
            while items and not self._ended.is_set():
                taken = []
                for outcome in driver(items):
                    if outcome.status == "taken":
                        taken.append(outcome.case)
                        elsewhere.setdefault(outcome.case, self.row(outcome.case))
                    else:
                        yield outcome
                items = [item for item in items if item["case"] in taken]
                self._ended.wait(SECONDS_BETWEEN_LOOKS if items else 0)
                for item in list(items):
                    error = self.failed_elsewhere(item["case"], elsewhere[item["case"]])
                    if error is not None:
                        items.remove(item)
                        failure = Failure(case=item["case"], error=error, seconds=0.0)
                        yield Outcome(case=item["case"], status="failed", failure=failure)

    def _asked_for(self, feed: CaseFeed) -> Iterator[Item]:
        for item in feed:
            mine = self.claim(item)
            if mine is None:
                feed.answer(Outcome(case=str(item["case"]), status="taken"))
            else:
                yield mine

    def claim(self, item: Item) -> Item | None:
        """An item that is this process's now, with `kept` where there is nothing to do; `None` when another has it.

        Raises:
            OutputError: When the output folder cannot be written.
        """
        name = str(item["case"])
        if not self.claims.claim(name):
            return None
        standing: Standing = self.earlier(item)
        if standing.record is not None:
            return {**item, KEPT: standing.record}
        if standing.stale is not None:
            logger.warning("case %s is done again: %s", name, standing.stale, extra={"case": name})
            (self.folder / name / PROVENANCE_FILE).unlink(missing_ok=True)
        if (self.folder / name).is_dir():
            sweep(self.folder / name)
        return item

    def ended_elsewhere(self, item: Item, row: Mapping[str, str] | None) -> Item:
        """An item that another process had: with its failure, where it failed there since it had this row."""
        error = None if KEPT in item else self.failed_elsewhere(item["case"], row)
        return item if error is None else {**item, "failed": error}

    def failed_elsewhere(self, case: str, row: Mapping[str, str] | None) -> FailedElsewhereError | None:
        """Why a case failed in another process, where it did since it had this row."""
        now = self.row(case)
        if now is None or now == row or now["status"] != "failed":
            return None
        return FailedElsewhereError(now["error"].rstrip("."))

    def row(self, case: str) -> dict[str, str] | None:
        """A case's row in the table as it is now."""
        return next((row for row in self.table.rows() if row["case"] == case), None)

    def stop(self) -> None:
        """Hands out no more, and waits for nobody."""
        self._ended.set()

    def attach(self, engine: Engine) -> None:
        """Attaches to a :class:`pipeline.cohorts.CaseEvaluator`, after all handlers that write."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._give_back)
        engine.add_event_handler(CohortEvents.ENDED, self._give_all_back)

    def _give_back(self, engine: Any) -> None:
        self.claims.release(str(engine.state.batch["case"]))

    def _give_all_back(self, engine: Any) -> None:
        self.claims.release_all()


def _from_anywhere(item: Item) -> Item:
    """The item with a path that means the same from any folder."""
    image = item.get("image")
    if not isinstance(image, str) or is_address(image):
        return item
    return {**item, "image": str(Path(image).absolute())}

"""MONAI's evaluator for whole cases."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedEvaluator
from monai.engines.utils import IterationEvents, engine_apply_transform
from torch.utils.data import DataLoader

from pipeline.cohorts.ahead import Ahead
from pipeline.cohorts.events import CohortEvents
from pipeline.cohorts.failures import Failure
from pipeline.cohorts.fetched import FetchedSeries
from pipeline.cohorts.open_cases import KEPT, OpenCases
from pipeline.cohorts.progress import CaseProgress, RunStoppedError
from pipeline.cohorts.workers.feed import CaseFeed, outcome_of
from pipeline.cohorts.workers.plan import Workers
from pipeline.export import read_provenance
from pipeline.export.files import is_disk_full
from pipeline.inference import VolumeInferer
from transforms.errors import CTError, NotFoundError

COLLECTED_BYTES = 2**24
"""After so many bytes of volumes the garbage collector runs: it takes a tenth of a second."""


class CasesFailedError(CTError):
    """Some cases failed; the others are done and written."""


class CaseEvaluator(SupervisedEvaluator):
    """Runs a network on whole cases; a case that fails is noted and the others are done.

    It takes unbatched cases from a loader over a :class:`pipeline.cohorts.CaseDataset`, adds the logits under `pred`,
    and fires the events of MONAI's evaluator in their order, so postprocessing and handlers work as usual. Handlers
    that can fail because of a case (writing its files) attach to `IterationEvents.MODEL_COMPLETED`: what they raise
    counts as the case's failure. With several volumes in memory, the next case is read and another is in the network,
    each in a thread of its own, while postprocessing and handlers are at work on the one before.

    Args:
        device: Where the network runs.
        val_data_loader: Loader of cases with `batch_size=None`.
        network: In evaluation mode, on the device.
        volumes_in_memory: How many cases are in hand at a time: 3 keep reading, network and writing busy; 1 is one
            after the other, in the least memory.
        progress: Is told of cases and stages.
        workers: Who does the cases in the place of this process, where there is anyone.
        args: Further arguments of `SupervisedEvaluator`: `inferer`, `postprocessing`, `val_handlers`, ….

    Attributes:
        failures: The cases that failed in this run.
    """

    def __init__(
        self,
        device: torch.device | str,
        val_data_loader: DataLoader[Any],
        network: torch.nn.Module,
        *,
        volumes_in_memory: int = 1,
        progress: CaseProgress | None = None,
        workers: Workers | None = None,
        **args: Any,
    ) -> None:
        self.failures: list[Failure] = []
        self._uncollected = 0
        self._disk_full: Exception | None = None
        self._interrupted = False
        self.progress = progress or CaseProgress(bar=False)
        self.workers = workers
        events: list[Any] = [CohortEvents]
        super().__init__(torch.device(device), val_data_loader, network, decollate=False, event_names=events, **args)
        self.logger.setLevel(logging.CRITICAL)  # what ends a run is told once, by who ran it
        self.loader: Any = val_data_loader
        self.ahead = Ahead(
            self.loader, self._through_network, items=volumes_in_memory, stop=self._stop, prepare=self._prepare
        )
        self.data_loader = self.ahead
        self.add_event_handler(Events.STARTED, self._forget)

    def run(self, global_epoch: int = 1) -> None:  # type: ignore[override]  # as MONAI's own evaluators
        """Runs on all cases.

        Raises:
            NotFoundError: When there are none.
            OutputError: When the disk is full: the cases that are left are not begun.
        """
        if not self._count():
            raise NotFoundError("there are no cases to run on")
        self.progress.begin(self._count())
        try:
            if self.workers is not None and self.workers.elsewhere:
                self._run_elsewhere(self.workers)
            else:
                self._run_here(global_epoch)
        finally:
            self.progress.close()

    def conclude(self) -> None:
        """Says that cases failed, once all are through.

        Raises:
            CasesFailedError: When at least one case failed.
        """
        if self.failures:
            names = ", ".join(failure.case for failure in self.failures[:5])
            raise CasesFailedError(
                f"{len(self.failures)} of {self._count()} cases failed: "
                f"{names}{', …' if len(self.failures) > 5 else ''}",
                remedy="See the messages above and cases.csv; the other cases are done",
            )

    def serve(self, feed: CaseFeed) -> None:
        """Does the cases of a feed, until that is closed."""
        self.progress.begin(0)
        self.loader.sampler.feed = feed
        self.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: feed.answer(outcome_of(engine.state)))
        self._run_here(1)

    def interrupt(self) -> None:
        """Ends a run from another thread: the case that is being written is finished, the others are left."""
        self._interrupted = True
        self._stop()

    def _run_elsewhere(self, workers: Workers) -> None:
        self.fire_event(Events.STARTED)
        finished: list[str] = []
        try:
            for outcome in self.loader.sampler.through(workers.driver()):
                self.state.batch = {"case": outcome.case}
                self.state.output = {"case": outcome.case}
                if outcome.failure is not None:
                    self.failures.append(outcome.failure)
                    self.state.output["failure"] = outcome.failure
                kept, failed = outcome.status == "kept", outcome.failure is not None
                self.progress.finished(outcome.case, kept=kept, failed=failed)
                self.fire_event(Events.ITERATION_COMPLETED)
                if not failed:
                    finished.append(outcome.case)
            self._mend(finished)
            self.fire_event(Events.COMPLETED)
        finally:
            self.fire_event(CohortEvents.ENDED)

    def _mend(self, cases: list[str]) -> None:
        """Sees that rows which a worker held back when it was killed are in the tables."""
        for case in cases:
            record = read_provenance(self.loader.sampler.folder / case)
            if record is not None:
                self._keep(self, {"case": case, KEPT: record})

    def _run_here(self, global_epoch: int) -> None:
        # How many cases are left is known when each had its turn.
        self.state.epoch_length = None
        try:
            super().run(global_epoch)
        finally:
            self.ahead.close()
            self.fire_event(CohortEvents.ENDED)

    def _stop(self) -> None:
        """Makes the threads end that are at work on cases which nobody waits for."""
        self.progress.stop()
        if isinstance(self.loader.sampler, OpenCases):
            self.loader.sampler.stop()

    def _count(self) -> int:
        return len(self.loader.dataset)

    def _forget(self, engine: Engine) -> None:
        self.failures.clear()
        self._disk_full = None

    def _prepare(self) -> None:
        """Makes a GPU ready for the first case; what is wrong with network or GPU will be said with that."""
        if isinstance(self.inferer, VolumeInferer):
            with self.mode(self.network):
                self.inferer.warm_up(self.network)

    def _through_network(self, batchdata: Mapping[str, Any]) -> dict[str, Any]:
        case = dict(batchdata)
        if "failure" in case or KEPT in case:
            return case
        begun = time.perf_counter()
        try:
            self.progress.stage("network", case["case"])
            with self.mode(self.network):
                case["pred"] = self.inferer(case["image"][None], self.network)[0]
        except Exception as error:  # noqa: BLE001  # boundary: whatever fails for one case, the others are done
            failure = Failure.of(str(case["case"]), error, seconds=time.perf_counter() - begun)
            return {key: case[key] for key in ("case", "fetched") if key in case} | {"failure": failure}
        case["seconds"] = {**case.get("seconds", {}), "network": time.perf_counter() - begun}
        return case

    def _iteration(self, engine: Any, batchdata: Mapping[str, Any]) -> dict[str, Any]:
        if self._interrupted:
            raise RunStoppedError
        if self._disk_full is not None:
            raise self._disk_full  # nothing that follows could be written
        case = dict(batchdata)
        failure: Failure | None = case.get("failure")
        if failure is None:
            begun = time.perf_counter()
            try:
                self._keep(engine, case) if KEPT in case else self._finish(engine, case)
            except Exception as error:  # noqa: BLE001  # boundary: whatever fails for one case, the others are done
                failure = Failure.of(str(case["case"]), error, seconds=time.perf_counter() - begun)
        if failure is not None:
            engine.state.batch = {"case": failure.case}
            engine.state.output = {"case": failure.case, "failure": failure}
            self._note(failure)
        self.progress.finished(str(case["case"]), kept=KEPT in case, failed=failure is not None)
        fetched: FetchedSeries | None = case.get("fetched")
        if fetched is not None:
            fetched.remove()
        if engine.state.iteration != self._count():  # after the last case nothing is read
            self._collect(case)
        output: dict[str, Any] = engine.state.output
        return output

    def _collect(self, case: Mapping[str, Any]) -> None:
        """Frees volumes in reference cycles of the engine's state before others are read; not for each picture."""
        self._uncollected += sum(one.nbytes for one in case.values() if isinstance(one, torch.Tensor))
        if self._uncollected > COLLECTED_BYTES:
            gc.collect()
            self._uncollected = 0

    def _note(self, failure: Failure) -> None:
        self.failures.append(failure)
        failure.log()
        failure.let_go()
        if is_disk_full(failure.error):
            self._disk_full = failure.error
        torch.cuda.empty_cache()

    def _keep(self, engine: Any, case: dict[str, Any]) -> None:
        engine.state.batch = engine.state.output = case
        engine.fire_event(CohortEvents.KEPT)

    def _finish(self, engine: Any, case: dict[str, Any]) -> None:
        self.progress.stage("write", case["case"])
        engine.state.batch = case
        engine.state.output = {"image": case["image"], "pred": case.pop("pred")}
        engine.fire_event(IterationEvents.FORWARD_COMPLETED)
        engine.fire_event(IterationEvents.MODEL_COMPLETED)

    def _register_postprocessing(self, posttrans: Callable[..., Any]) -> None:
        @self.on(IterationEvents.MODEL_COMPLETED)
        def _restore(engine: Any) -> None:
            begun = time.perf_counter()
            engine.state.batch, engine.state.output = engine_apply_transform(
                batch=engine.state.batch, output=engine.state.output, transform=posttrans
            )
            engine.state.batch["seconds"]["restore"] = time.perf_counter() - begun

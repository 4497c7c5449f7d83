"""MONAI's evaluator for whole cases."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedEvaluator
from monai.engines.utils import IterationEvents, engine_apply_transform
from torch.utils.data import DataLoader

from pipeline.cohorts.failures import Failure
from pipeline.cohorts.fetched import FetchedSeries
from transforms.errors import CTError, NotFoundError, root_error


class CasesFailedError(CTError):
    """Some cases failed; the others are done and written."""


class CaseEvaluator(SupervisedEvaluator):
    """Runs a network on whole cases, one after the other; a case that fails is noted and the next one is taken.

    It takes unbatched cases from a loader over a :class:`pipeline.cohorts.CaseDataset`, adds the logits under `pred`,
    and fires the events of MONAI's evaluator in their order, so postprocessing and handlers work as usual. Handlers
    that can fail because of a case (writing its files) attach to `IterationEvents.MODEL_COMPLETED`: what they raise
    counts as the case's failure.

    Args:
        device: Where the network runs.
        val_data_loader: Loader of cases with `batch_size=None`.
        network: In evaluation mode, on the device.
        args: Further arguments of `SupervisedEvaluator`: `inferer`, `postprocessing`, `val_handlers`, ….

    Attributes:
        failures: The cases that failed in this run.
    """

    def __init__(
        self, device: torch.device | str, val_data_loader: DataLoader[Any], network: torch.nn.Module, **args: Any
    ) -> None:
        self.failures: list[Failure] = []
        super().__init__(torch.device(device), val_data_loader, network, decollate=False, **args)
        self.add_event_handler(Events.STARTED, self._forget)

    def run(self, global_epoch: int = 1) -> None:  # type: ignore[override]  # as MONAI's own evaluators
        """Runs on all cases.

        Raises:
            NotFoundError: When there are none.
        """
        if not self._count():
            raise NotFoundError("there are no cases to run on")
        super().run(global_epoch)

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

    def _count(self) -> int:
        loader: Any = self.data_loader
        return len(loader.dataset)

    def _forget(self, engine: Engine) -> None:
        self.failures.clear()

    def _iteration(self, engine: Any, batchdata: Mapping[str, Any]) -> dict[str, Any]:
        case = dict(batchdata)
        failure: Failure | None = case.get("failure")
        if failure is None:
            begun = time.perf_counter()
            try:
                self._run_case(engine, case)
            except Exception as error:  # noqa: BLE001  # boundary: whatever fails for one case, the others are done
                seconds = time.perf_counter() - begun
                failure = Failure(case=str(case["case"]), error=root_error(error), seconds=seconds)
        if failure is not None:
            engine.state.output = {"case": failure.case, "failure": failure}
            self.failures.append(failure)
            failure.log()
        fetched: FetchedSeries | None = case.get("fetched")
        if fetched is not None:
            fetched.remove()
        # Volumes in reference cycles of the engine's state would wait for the collector while the next one is read.
        gc.collect()
        output: dict[str, Any] = engine.state.output
        return output

    def _run_case(self, engine: Any, case: dict[str, Any]) -> None:
        image = case["image"]
        begun = time.perf_counter()
        with engine.mode(engine.network):
            logits = engine.inferer(image[None], engine.network)[0]
        case["seconds"] = {**case.get("seconds", {}), "network": time.perf_counter() - begun}
        engine.state.batch = case
        engine.state.output = {"image": image, "pred": logits}
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

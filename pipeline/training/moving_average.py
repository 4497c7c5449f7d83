"""The schedule that follows moving averages of validation loss and accuracy."""

from __future__ import annotations

import logging
import math
from typing import Any

from ignite.engine import Engine, Events

from pipeline.training.schedule import LearningRateSchedule

logger = logging.getLogger(__name__)


class MovingAverageSchedule:
    """Handler that divides the learning rate, and stops, when moving averages of validation no longer get better.

    After each validation the averages take in the new loss and accuracy. One that is no better than its best counts;
    one that is begins to count anew. When the loss has counted to its patience the learning rate is divided and both
    counts start again; when the accuracy has too, the run stops (unless `stop` is false). A validation whose loss is
    not a number counts as one without gain, and the averages stay as they are. The averages join the validator's
    metrics as `NAME_average`, so that TensorBoard shows them: attach this before the handlers that show metrics, and
    call :meth:`set_trainer`.

    Args:
        schedule: Whose learning rates are divided; its shape stays.
        patience: Validations without gain.
        new: Share of the new value in the averages.
        factor: What the learning rate is multiplied with.
        stop: Whether the run stops. Without it, and with `new: 1`, this is the plain rule of a rate that falls when
            the loss no longer does.
        loss: The validator's metric that should fall.
        accuracy: The validator's metric that should rise.
    """

    def __init__(
        self,
        schedule: LearningRateSchedule,
        *,
        patience: int = 5,
        new: float = 0.2,
        factor: float = 0.1,
        stop: bool = True,
        loss: str = "val_loss",
        accuracy: str = "val_accuracy",
    ) -> None:
        self.schedule = schedule
        self.patience = patience
        self.new = new
        self.factor = factor
        self.stop = stop
        # The accuracy counts with the other sign: for both, lower is better.
        self.signs = {loss: 1.0, accuracy: -1.0}
        self.loss, self.accuracy = loss, accuracy
        self.averages: dict[str, float] = {}
        self.best = dict.fromkeys(self.signs, math.inf)
        self.counts = dict.fromkeys(self.signs, 0)
        self.divisions = 0
        self._trainer: Engine | None = None

    def attach(self, engine: Engine) -> None:
        """Attaches to the validator."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def set_trainer(self, trainer: Engine) -> None:
        """Says whose run is stopped."""
        self._trainer = trainer

    def __call__(self, engine: Engine) -> None:
        """Takes in the metrics of a validation."""
        metrics = engine.state.metrics
        for name, sign in self.signs.items():
            self._count(name, float(metrics[name]), sign)
            if name in self.averages:
                metrics[f"{name}_average"] = self.averages[name]
        if self.counts[self.loss] < self.patience:
            return
        if self.stop and self.counts[self.accuracy] >= self.patience:
            logger.info("%d validations without gain in loss and in accuracy: the run stops", self.patience)
            if self._trainer is not None:
                self._trainer.terminate()
            return
        self._divide()
        self.counts = dict.fromkeys(self.signs, 0)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {
            "averages": dict(self.averages),
            "best": dict(self.best),
            "counts": dict(self.counts),
            "divisions": self.divisions,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes over from an earlier run."""
        self.averages, self.best, self.counts = (dict(state[key]) for key in ("averages", "best", "counts"))
        for _ in range(int(state["divisions"]) - self.divisions):
            self._divide()

    def _count(self, name: str, value: float, sign: float) -> None:
        if not math.isfinite(value):
            self.counts[name] += 1
            return
        average = (1 - self.new) * self.averages.get(name, value) + self.new * value
        self.averages[name] = average
        if sign * average < self.best[name]:
            self.best[name], self.counts[name] = sign * average, 0
        else:
            self.counts[name] += 1

    def _divide(self) -> None:
        self.divisions += 1
        self.schedule.scale(self.factor)
        logger.info("the validation loss no longer falls: learning rate %.3g", max(self.schedule.highest))

"""The learning rate over a training's budget."""

from __future__ import annotations

import math
from typing import Literal, get_args

from ignite.engine import Engine, Events
from torch.optim import Optimizer

from pipeline.training.budget import TrainingBudget
from transforms.errors import SettingError

Shape = Literal["cosine", "one_cycle", "poly", "step", "constant"]

_POLY_POWER = 0.9
_ONE_CYCLE_PEAK = 0.3
_ONE_CYCLE_START = 1 / 25
_ONE_CYCLE_END = _ONE_CYCLE_START / 1e4
_STEP_FACTOR = 0.1


class LearningRateSchedule:
    """Handler that sets the learning rate before each iteration from the share of the budget that is used.

    Args:
        optimizer: Whose rates are set; the rates that it was made with are the highest.
        budget: Says how much is used.
        shape: `cosine` (Loshchilov and Hutter 2017), `one_cycle` (Smith 2018; as PyTorch's `OneCycleLR`: a
            cosine up from a 25th over the first 30 %, then one down to a 10,000th of that), `poly` (power 0.9, as
            nnU-Net), `step` (a tenth after every `step_epochs`) or `constant`.
        warmup: Share of the budget over which the rate rises from 0; `one_cycle` has its own, `step` none.
        floor: Share of the highest rate that is kept at the end by `cosine` and `poly`.
        step_epochs: Epochs of a step.

    Raises:
        SettingError: When the shape is unknown.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        budget: TrainingBudget,
        shape: Shape = "cosine",
        *,
        warmup: float = 0.03,
        floor: float = 0.01,
        step_epochs: int = 100,
    ) -> None:
        if shape not in get_args(Shape):
            raise SettingError(
                "the schedule is unknown", where="schedule", found=shape, expected=", ".join(get_args(Shape))
            )
        self.optimizer = optimizer
        self.budget = budget
        self.shape: Shape = shape
        self.warmup = warmup
        self.step_epochs = max(1, int(step_epochs))
        self.floor = floor
        self.highest = [float(group["lr"]) for group in optimizer.param_groups]

    def attach(self, engine: Engine) -> None:
        """Attaches to the trainer."""
        engine.add_event_handler(Events.ITERATION_STARTED, self._set)

    def scale(self, factor: float) -> None:
        """Multiplies all rates from here on, whatever the shape says."""
        self.highest = [rate * factor for rate in self.highest]

    def factor(self, used: float, epochs: int = 0) -> float:
        """The share of the highest rate when a share of the budget is used, and so many epochs are done."""
        if self.shape == "step":
            return float(_STEP_FACTOR ** (epochs // self.step_epochs))
        if self.shape == "one_cycle":
            return _one_cycle(used)
        if used < self.warmup:
            return self.floor + (1 - self.floor) * used / self.warmup
        rest = (used - self.warmup) / max(1 - self.warmup, 1e-9)
        if self.shape == "constant":
            return 1.0
        fall = (1 - rest) ** _POLY_POWER if self.shape == "poly" else (1 + math.cos(math.pi * rest)) / 2
        return self.floor + (1 - self.floor) * fall

    def _set(self, engine: Engine) -> None:
        factor = self.factor(self.budget.used(engine), max(engine.state.epoch - 1, 0))
        for group, highest in zip(self.optimizer.param_groups, self.highest, strict=True):
            group["lr"] = highest * factor


def _one_cycle(used: float) -> float:
    if used < _ONE_CYCLE_PEAK:
        first, last, share = _ONE_CYCLE_START, 1.0, used / _ONE_CYCLE_PEAK
    else:
        first, last, share = 1.0, _ONE_CYCLE_END, (used - _ONE_CYCLE_PEAK) / (1 - _ONE_CYCLE_PEAK)
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2

"""What is added to MONAI's validation: a last one when training ends, and Dice by class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import Evaluator


class FinalValidation:
    """Handler that validates when training ends, unless its last epoch was validated.

    Args:
        validator: The evaluator.
    """

    def __init__(self, validator: Evaluator) -> None:
        self.validator = validator

    def attach(self, engine: Engine) -> None:
        """Attaches to the trainer."""
        engine.add_event_handler(Events.COMPLETED, self._validate)

    def _validate(self, engine: Engine) -> None:
        if engine.state.epoch > 0 and self.validator.state.epoch != engine.state.epoch:
            self.validator.run(engine.state.epoch)


class PerClassDice:
    """Handler that adds the Dice of each class to an evaluator's metrics, so that logs and TensorBoard show it.

    Cases without a class (and without a prediction of it) do not count for it, as in the mean.

    Args:
        classes: Class name to value, background 0.
        metric: Name of MONAI's `MeanDice` metric, without background.
    """

    def __init__(self, classes: Mapping[str, int], metric: str = "val_mean_dice") -> None:
        self.names = [name for name, value in sorted(classes.items(), key=lambda item: item[1]) if value > 0]
        self.metric = metric

    def attach(self, engine: Engine) -> None:
        """Attaches to the evaluator, before the handlers that show metrics."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._add)

    def _add(self, engine: Engine) -> None:
        state: Any = engine.state
        details = torch.as_tensor(state.metric_details[self.metric]).reshape(-1, len(self.names))
        for name, dice in zip(self.names, torch.nanmean(details.float(), dim=0).tolist(), strict=True):
            state.metrics[f"val_dice_{name}"] = dice

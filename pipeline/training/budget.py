"""How long a training goes on: epochs or minutes, whichever is used up first."""

from __future__ import annotations

import logging
import time
from typing import Any

import torch
from ignite import distributed
from ignite.engine import Engine, Events

logger = logging.getLogger(__name__)


class TrainingBudget:
    """Handler that ends a training after `max_minutes`, and tells how much of the budget is used.

    The schedule asks :meth:`used`, so it ends where the training ends, whichever limit is met first. Minutes of
    earlier runs that were resumed count. Of several processes the first one's clock counts for all: they must end
    together, and with the same learning rate.

    Args:
        max_epochs: Epochs of the trainer.
        max_minutes: Minutes of the whole run, validation included; `None` for no limit. With a limit in minutes, two
            runs are not alike to the bit: how far they come depends on the machine.
    """

    def __init__(self, max_epochs: int, max_minutes: float | None = None) -> None:
        self.max_epochs = max_epochs
        self.max_minutes = max_minutes
        self._earlier_s = 0.0
        self._begun = time.monotonic()

    def attach(self, engine: Engine) -> None:
        """Attaches to the trainer."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._end_when_used_up)

    def elapsed_s(self) -> float:
        """Seconds that this training has taken, over all its runs."""
        own = self._own_elapsed_s()
        return own if distributed.get_world_size() == 1 else float(torch.as_tensor(distributed.broadcast(own)))

    def used(self, engine: Engine) -> float:
        """Share of the budget that is used, 0 to 1."""
        iterations = self.max_epochs * (engine.state.epoch_length or 1)
        share = engine.state.iteration / iterations
        if self.max_minutes:
            share = max(share, self.elapsed_s() / (60 * self.max_minutes))
        return min(share, 1.0)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"elapsed_s": self._own_elapsed_s()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes over from an earlier run."""
        self._earlier_s = float(state["elapsed_s"])
        self._begun = time.monotonic()

    def _own_elapsed_s(self) -> float:
        return self._earlier_s + time.monotonic() - self._begun

    def _start(self, engine: Engine) -> None:
        self._begun = time.monotonic()
        self._end_when_used_up(engine)

    def _end_when_used_up(self, engine: Engine) -> None:
        if self.max_minutes and self.elapsed_s() >= 60 * self.max_minutes:
            logger.info("the %g minutes are used up after epoch %d", self.max_minutes, engine.state.epoch)
            engine.terminate()

"""MONAI's early stopping, resumable."""

from __future__ import annotations

from typing import Any

from ignite.handlers import EarlyStopping
from monai.handlers import EarlyStopHandler


class ResumableEarlyStop(EarlyStopHandler):
    """MONAI's handler with a state, so that a resumed run stops where one that was not stopped would.

    Its arguments are those of `monai.handlers.EarlyStopHandler`; call `set_trainer` before training.
    """

    def state_dict(self) -> dict[str, Any]:
        """How many validations were without gain, and the best score."""
        handler: EarlyStopping | None = self._handler
        return {} if handler is None else dict(handler.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes over from an earlier run."""
        handler: EarlyStopping | None = self._handler
        if handler is not None and state:
            handler.load_state_dict(state)

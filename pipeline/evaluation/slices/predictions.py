"""What a classifier said of the items of a data list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Probabilities of labelled items, in the order of the data list.

    Attributes:
        cases: Name of each item's case.
        slices: Index of each item's slice.
        groups: What is resampled together: a patient, or a file.
        labels: `(N,)` the true classes.
        probabilities: `(N, K)`.
    """

    cases: tuple[str, ...]
    slices: tuple[int, ...]
    groups: tuple[str, ...]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.cases)

    @classmethod
    def of_items(cls, items: Sequence[Mapping[str, Any]], probabilities: NDArray[Any]) -> Predictions:
        """The predictions of a data list's items."""
        return cls(
            cases=tuple(str(item["case"]) for item in items),
            slices=tuple(int(item.get("slice", 0)) for item in items),
            groups=tuple(str(item.get("group", item["case"])) for item in items),
            labels=np.array([int(item["label"]) for item in items], dtype=np.int64),
            probabilities=np.asarray(probabilities, dtype=np.float64),
        )


def predict(evaluator: Any, items: Sequence[Mapping[str, Any]]) -> Predictions:
    """Runs an evaluator over a data list.

    Args:
        evaluator: MONAI's `SupervisedEvaluator` without decollation, whose loader gives the items in their order and
            whose output has probabilities `(B, K)` under `pred`.
        items: The data list that its loader reads.
    """
    batches: list[torch.Tensor] = []

    def collect(engine: Engine) -> None:
        output: Any = engine.state.output
        batches.append(output["pred"].detach().float().cpu())

    with evaluator.add_event_handler(Events.ITERATION_COMPLETED, collect):
        evaluator.run()
    return Predictions.of_items(items, torch.cat(batches).numpy())


def is_first_process() -> bool:
    """Whether this process writes the files."""
    return bool(idist.get_rank() == 0)

"""Bootstrap intervals of scores, over patients where they are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scorer = Callable[[NDArray[Any], NDArray[Any]], dict[str, float]]

SAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A score with its 95 % interval.

    Attributes:
        value: Of all items.
        low: 2.5th percentile of the resampled scores; NaN where none could be computed.
        high: 97.5th percentile.
    """

    value: float
    low: float
    high: float


def with_intervals(
    score: Scorer,
    labels: NDArray[Any],
    probabilities: NDArray[Any],
    groups: Sequence[str],
    *,
    samples: int = SAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Scores with 95 % percentile bootstrap intervals (Efron 1979); items of one group are drawn together.

    Args:
        score: Gives the scores of labels `(N,)` and probabilities `(N, K)`.
        labels: `(N,)`.
        probabilities: `(N, K)`.
        groups: What is drawn together: patients, or files.
        samples: How often the groups are drawn, with replacement.
        seed: Of the draws.
    """
    names, inverse = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(inverse == number) for number in range(len(names))]
    draws = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {}
    for _ in range(samples):
        chosen = np.concatenate([members[number] for number in draws.integers(len(names), size=len(names))])
        for name, value in score(labels[chosen], probabilities[chosen]).items():
            drawn.setdefault(name, []).append(value)
    return {name: _interval(value, drawn.get(name, [])) for name, value in score(labels, probabilities).items()}


def _interval(value: float, drawn: Sequence[float]) -> Interval:
    finite = np.array([one for one in drawn if np.isfinite(one)])
    if not finite.size:
        return Interval(value=value, low=float("nan"), high=float("nan"))
    low, high = np.percentile(finite, [2.5, 97.5])
    return Interval(value=value, low=float(low), high=float(high))

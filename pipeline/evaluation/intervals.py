"""Bootstrap intervals of whatever is computed from items, over patients where they are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Statistic = Callable[[NDArray[np.intp]], Mapping[str, float]]

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


def bootstrap(
    statistic: Statistic, groups: Sequence[str], *, samples: int = SAMPLES, seed: int = 0
) -> dict[str, Interval]:
    """Scores with 95 % percentile bootstrap intervals (Efron 1979); items of one group are drawn together.

    Args:
        statistic: Gives the scores of the items with these indices, some of them several times.
        groups: What is drawn together, a name an item: patients, or files.
        samples: How often the groups are drawn, with replacement.
        seed: Of the draws.

    Example:
        >>> values = np.array([0.5, 0.75, 1.0])
        >>> bootstrap(lambda chosen: {"mean": values[chosen].mean()}, ["a", "b", "b"])["mean"]
        Interval(value=0.75, low=0.5, high=0.875)
    """
    names, inverse = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(inverse == number) for number in range(len(names))]
    draws = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {}
    for _ in range(samples):
        chosen = np.concatenate([members[number] for number in draws.integers(len(names), size=len(names))])
        for name, value in statistic(chosen).items():
            drawn.setdefault(name, []).append(value)
    every = statistic(np.arange(len(groups)))
    return {name: _interval(value, drawn.get(name, [])) for name, value in every.items()}


def _interval(value: float, drawn: Sequence[Any]) -> Interval:
    finite = np.array([one for one in drawn if np.isfinite(one)])
    if not finite.size:
        return Interval(value=float(value), low=float("nan"), high=float("nan"))
    low, high = np.percentile(finite, [2.5, 97.5])
    return Interval(value=float(value), low=float(low), high=float(high))

"""Intervals of a classifier's scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from pipeline.evaluation.intervals import SAMPLES, Interval, bootstrap

Scorer = Callable[[NDArray[Any], NDArray[Any]], dict[str, float]]


def with_intervals(
    score: Scorer,
    labels: NDArray[Any],
    probabilities: NDArray[Any],
    groups: Sequence[str],
    *,
    samples: int = SAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Scores with 95 % intervals (:func:`pipeline.evaluation.intervals.bootstrap`).

    Args:
        score: Gives the scores of labels `(N,)` and probabilities `(N, K)`.
        labels: `(N,)`.
        probabilities: `(N, K)`.
        groups: What is drawn together: patients, or files.
        samples: How often the groups are drawn, with replacement.
        seed: Of the draws.
    """
    return bootstrap(lambda chosen: score(labels[chosen], probabilities[chosen]), groups, samples=samples, seed=seed)

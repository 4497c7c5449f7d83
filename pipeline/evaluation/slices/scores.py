"""Scores of a classifier, by scikit-learn; calibration by MONAI."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch
from monai.metrics.calibration import calibration_binning
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    precision_recall_fscore_support,
    roc_auc_score,
    roc_curve,
)

from pipeline.evaluation.calibration import BINS

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float64]


def predicted(probabilities: Probabilities, threshold: float | None) -> Labels:
    """The class of each item: of two classes the second from the threshold on, of several the most probable.

    Args:
        probabilities: `(N, K)`.
        threshold: Of the second of two classes; `None` for the most probable class.
    """
    if threshold is None or probabilities.shape[1] != 2:
        return np.asarray(probabilities.argmax(axis=1), dtype=np.int64)
    return np.asarray(probabilities[:, 1] >= threshold, dtype=np.int64)


def scores(labels: Labels, probabilities: Probabilities, threshold: float | None = None) -> dict[str, float]:
    """Accuracy, sensitivity, specificity, precision, F1, AUROC, average precision, expected calibration error.

    Of two classes the second is the positive one; of several the scores are means over the classes, each against all
    others. What cannot be computed (AUROC where only one class is there) is NaN.

    Args:
        labels: `(N,)`.
        probabilities: `(N, K)`.
        threshold: See :func:`predicted`.
    """
    classes = probabilities.shape[1]
    chosen = predicted(probabilities, threshold)
    positives = [1] if classes == 2 else list(range(classes))
    parts = [_one_against_all(labels == one, chosen == one, probabilities[:, one]) for one in positives]
    means = {name: float(np.mean([part[name] for part in parts])) for name in parts[0]}
    return {
        "accuracy": float(accuracy_score(labels, chosen)),
        **means,
        "expected_calibration_error": calibration_error(labels, probabilities),
    }


def _one_against_all(truth: NDArray[np.bool_], chosen: NDArray[np.bool_], score: Probabilities) -> dict[str, float]:
    precision, sensitivity, f1, _ = precision_recall_fscore_support(
        truth, chosen, labels=[True], average=None, zero_division=np.nan
    )
    negatives = int((~truth).sum())
    both = truth.any() and negatives > 0
    return {
        "sensitivity": float(sensitivity[0]),
        "specificity": float((~truth & ~chosen).sum() / negatives) if negatives else math.nan,
        "precision": float(precision[0]),
        "f1": float(f1[0]),
        "auroc": float(roc_auc_score(truth, score)) if both else math.nan,
        "average_precision": float(average_precision_score(truth, score)) if both else math.nan,
    }


def confusion(labels: Labels, probabilities: Probabilities, threshold: float | None = None) -> NDArray[np.int64]:
    """The confusion matrix `(K, K)`: a row a true class, a column a predicted one."""
    every = np.arange(probabilities.shape[1])
    return np.asarray(confusion_matrix(labels, predicted(probabilities, threshold), labels=every), dtype=np.int64)


def reliability(labels: Labels, probabilities: Probabilities) -> tuple[Probabilities, Probabilities, Labels]:
    """The mean probability, the share that was right, and the number of items, of each bin of probability.

    Of two classes it is the probability of the second; of several that of the most probable.
    """
    if probabilities.shape[1] == 2:
        score, right = probabilities[:, 1], labels == 1
    else:
        score, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # empty bins
        means, shares, counts = calibration_binning(
            torch.from_numpy(score)[None, None], torch.from_numpy(right.astype(np.float64))[None, None], num_bins=BINS
        )
    return means[0, 0].numpy(), shares[0, 0].numpy(), counts[0, 0].numpy().astype(np.int64)


def calibration_error(labels: Labels, probabilities: Probabilities) -> float:
    """Expected calibration error (Naeini et al. 2015), in 10 bins of equal width."""
    means, shares, counts = reliability(labels, probabilities)
    filled = counts > 0
    return float(np.sum(counts[filled] * np.abs(means[filled] - shares[filled])) / counts.sum())


def choose_threshold(labels: Labels, probabilities: Probabilities) -> float | None:
    """The threshold of the second of two classes with the highest Youden index (Youden 1950).

    It lies halfway to the next lower score, so that it does not hang on the last digit of one. `None` where there are
    several classes, or only one is there.
    """
    if probabilities.shape[1] != 2 or len(np.unique(labels)) < 2:
        return None
    false_positives, true_positives, thresholds = roc_curve(labels, probabilities[:, 1], drop_intermediate=False)
    best = float(thresholds[int(np.argmax(true_positives - false_positives))])
    lower = probabilities[:, 1][probabilities[:, 1] < best]
    return float((best + lower.max()) / 2) if lower.size and math.isfinite(best) else min(best, 1.0)


def as_json(value: Any) -> Any:
    """A score as JSON has it: NaN becomes null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value

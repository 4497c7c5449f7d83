"""Metrics of a classifier's validation, for MONAI's evaluator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from ignite.metrics import Accuracy, EpochMetric, Metric
from torch.nn import functional

from pipeline.evaluation.slices.scores import scores

_LEAST = 1e-7


def slice_metrics() -> dict[str, Metric]:
    """Accuracy, AUROC and loss (cross entropy) of an evaluator without decollation, the key metric first.

    They take probabilities `(B, K)` under `pred` and classes `(B,)` under `label` of its output.
    """
    return {
        "val_accuracy": Accuracy(output_transform=_pair),
        "val_auroc": _epoch_metric(_auroc),
        "val_loss": _epoch_metric(_loss),
    }


def _epoch_metric(function: Callable[[torch.Tensor, torch.Tensor], float]) -> EpochMetric:
    return EpochMetric(function, output_transform=_pair, check_compute_fn=False)


def _pair(output: Any) -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.as_tensor(output["label"]).reshape(-1)
    return output["pred"].as_subclass(torch.Tensor), labels


def _auroc(probabilities: torch.Tensor, labels: torch.Tensor) -> float:
    return scores(labels.cpu().numpy().astype(np.int64), probabilities.double().cpu().numpy())["auroc"]


def _loss(probabilities: torch.Tensor, labels: torch.Tensor) -> float:
    return float(functional.nll_loss(probabilities.clamp(min=_LEAST).log(), labels.long()))

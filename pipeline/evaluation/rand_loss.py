"""The Rand loss as a metric of validation."""

from __future__ import annotations

from typing import Any

import torch
from monai.metrics import CumulativeIterationMetric

from pipeline.evaluation.rand_index import adjusted_rand


class RandLoss(CumulativeIterationMetric):
    """1 − (adjusted Rand index + 1) / 2 of each class and the rest: 0 for equal masks, about 0.5 for unrelated ones.

    Takes label maps in channels, `(B, K, …)` with the background first, which is left out.

    Example:
        In a bundle's config::

            metrics:
              val_rand_loss:
                _target_: monai.handlers.IgniteMetricHandler
                metric_fn: {_target_: pipeline.evaluation.RandLoss}
                output_transform: "$monai.handlers.from_engine(['pred', 'label'])"
    """

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor | None = None, **_: Any) -> torch.Tensor:
        if y is None:
            raise ValueError("the Rand loss compares two masks")
        pred, truth = (channels.as_subclass(torch.Tensor)[:, 1:].flatten(2) > 0 for channels in (y_pred, y))
        counts = ((pred & truth).sum(2), pred.sum(2), truth.sum(2))
        both, in_pred, in_truth = (count.tolist() for count in counts)
        losses = [
            [
                (1 - adjusted_rand(int(a), int(b), int(c), pred.shape[2])) / 2
                for a, b, c in zip(both[case], in_pred[case], in_truth[case], strict=True)
            ]
            for case in range(len(pred))
        ]
        return torch.tensor(losses)

    def aggregate(self) -> torch.Tensor:
        """The mean over cases and classes."""
        buffer = self.get_buffer()  # type: ignore[no-untyped-call]
        return torch.as_tensor(buffer).float().mean()

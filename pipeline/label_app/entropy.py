"""The entropy of a segmentation, as one number."""

from __future__ import annotations

import math

import torch

TOP = 0.01
"""Share of the voxels that are counted: an uncertain lesion must not drown in certain air."""


def uncertainty(logits: torch.Tensor, top: float = TOP) -> float:
    """The mean entropy of the least certain voxels.

    Args:
        logits: `(C, X, Y, Z)`, of a softmax over at least two classes.
        top: Share of the voxels that count, above 0 up to 1.

    Returns:
        0, certain everywhere, to 1, as good as guessed.

    Example:
        >>> round(uncertainty(torch.zeros(4, 2, 2, 2)), 3)
        1.0
    """
    values = logits.as_subclass(torch.Tensor).float()
    log_shares = values.log_softmax(0)
    entropy = -(log_shares.exp() * log_shares).sum(0).flatten() / math.log(values.shape[0])
    count = max(1, math.ceil(top * entropy.numel()))
    return float(entropy.topk(count).values.mean())

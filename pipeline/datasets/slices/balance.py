"""How much rare classes count in the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch


def class_weights(
    items: Sequence[Mapping[str, Any]], classes: Mapping[str, int], *, power: float = 1.0
) -> torch.Tensor:
    """Weights `(K,)` by which each class of a data list counts as much as any other; their mean over items is 1.

    Args:
        items: With the class's value under `label`.
        classes: Class name to value.
        power: 1 balances fully, 0 not at all, 0.5 halfway.

    Example:
        >>> class_weights([{"label": 0}] * 3 + [{"label": 1}], {"a": 0, "b": 1})
        tensor([0.6667, 2.0000])
    """
    counts = torch.bincount(torch.tensor([int(item["label"]) for item in items]), minlength=len(classes)).float()
    weights = counts.clamp(min=1) ** -power
    return weights * counts.sum() / (weights * counts).sum()

"""Instance norm of features whose channels lie side by side in memory, for processors and GPUs."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

VECTOR = 16
"""Channels from which on torch's group norm works along the channels of channels-last tensors."""


def normalised(features: torch.Tensor, groups: int, eps: float) -> torch.Tensor:
    """Features `(N, C, ...)` with mean 0 and variance 1 in each of so many groups of neighbouring channels.

    Args:
        features: Any float type, on any device.
        groups: As many as channels for instance norm.
        eps: Added to the variance.
    """
    if features.is_cuda:
        return by_moments(features, groups, eps=eps)
    if groups == features.shape[1] and groups % VECTOR:
        return functional.instance_norm(features, eps=eps)
    return functional.group_norm(features, groups, eps=eps)


def by_moments(features: torch.Tensor, groups: int, *, eps: float) -> torch.Tensor:
    """The same, in one pass that finds the moments and one that applies them.

    On a GPU torch's group norm first puts channels one after the other, and then has a single multiprocessor sum up
    each of them. The deviation, unlike the variance, does not overflow in half precision.
    """
    grouped = torch.unflatten(features, 1, (groups, -1))
    deviation, mean = torch.std_mean(grouped, dim=tuple(range(2, grouped.ndim)), correction=0, keepdim=True)
    deviation = torch.hypot(deviation, deviation.new_tensor(math.sqrt(eps)))
    return torch.addcdiv(mean.div_(deviation).neg_(), grouped, deviation).flatten(1, 2)

"""Losses that take label maps: cross entropy, and channels that answer for themselves."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional


class MaskCrossEntropy(nn.Module):
    """Cross entropy of logits with a channel a class, background included.

    Shape:
        logits `(B, K, …)`, label map `(B, 1, …)` with values below K; a number comes out.

    Example:
        >>> logits = torch.tensor([[[[9.0]], [[-9.0]]]])
        >>> round(float(MaskCrossEntropy()(logits, torch.zeros(1, 1, 1, 1))), 3)
        0.0
    """

    def forward(self, logits: torch.Tensor, label_map: torch.Tensor) -> torch.Tensor:
        """The mean over all voxels."""
        plain, labels = _plain(logits), _plain(label_map)
        return functional.cross_entropy(plain, labels[:, 0].long())


class ForegroundChannels(nn.Module):
    """Any loss of sigmoid channels, one for each class above the background.

    Args:
        loss: Takes logits and masks of 0 and 1, both `(B, K, …)`; by default binary cross entropy with logits.

    Shape:
        logits `(B, K, …)`, label map `(B, 1, …)` with values up to K; a number comes out.

    Example:
        >>> logits = torch.tensor([[[[9.0, -9.0]], [[-9.0, -9.0]]]])
        >>> round(float(ForegroundChannels()(logits, torch.tensor([[[[1, 0]]]]))), 3)
        0.0
    """

    def __init__(self, loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None) -> None:
        super().__init__()
        self.loss = loss or nn.BCEWithLogitsLoss()

    def forward(self, logits: torch.Tensor, label_map: torch.Tensor) -> torch.Tensor:
        """The loss over all channels."""
        plain, labels = _plain(logits), _plain(label_map)
        values = torch.arange(1, plain.shape[1] + 1, device=plain.device).reshape(1, -1, *[1] * (plain.ndim - 2))
        return self.loss(plain, (labels == values).to(plain.dtype))


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.as_subclass(torch.Tensor)

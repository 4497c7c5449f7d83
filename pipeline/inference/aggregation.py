"""From the probabilities of slices to that of their volume."""

from __future__ import annotations

import math

import torch

from transforms.errors import SettingError


def aggregate(probabilities: torch.Tensor, top: float = 0.2) -> torch.Tensor:
    """The mean over the most suspicious slices.

    A disease that shows in a part of the lung must not drown in healthy slices, and one odd slice must not decide:
    the share `top` of the slices with the least probability of the first class is averaged, at least one.

    Args:
        probabilities: `(N, K)` of the slices that show lung; the first class is the one without finding.
        top: Share of the slices, above 0 up to 1.

    Returns:
        `(K,)`.

    Raises:
        SettingError: When `top` is no such share.

    Example:
        >>> aggregate(torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.9, 0.1]]), top=0.5)
        tensor([0.3000, 0.7000])
    """
    if not 0 < top <= 1:
        raise SettingError("the share of slices is out of range", where="top", found=top, expected="above 0, up to 1")
    count = math.ceil(top * len(probabilities))
    return probabilities[probabilities[:, 0].argsort()[:count]].mean(dim=0)

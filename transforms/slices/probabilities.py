"""Logits of a classifier to probabilities of its classes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform


class ToProbabilitiesd(MapTransform):
    """Turns logits `(…, K)` into probabilities: softmax over the classes.

    One logit alone is that of the second of two classes (binary cross entropy); both probabilities come out.

    Args:
        keys: Logits.
    """

    def __init__(self, keys: KeysCollection = "pred") -> None:
        super().__init__(keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with probabilities in place of logits."""
        done = dict(data)
        for key in self.key_iterator(done):
            done[key] = to_probabilities(done[key])
        return done


def to_probabilities(logits: torch.Tensor) -> torch.Tensor:
    """Probabilities `(…, K)` of logits `(…, K)`, or `(…, 2)` of `(…, 1)`."""
    values = logits.as_subclass(torch.Tensor).float()
    if values.shape[-1] == 1:
        positive = torch.sigmoid(values)
        return torch.cat([1 - positive, positive], dim=-1)
    return torch.softmax(values, dim=-1)

"""The class of every voxel on the grid that the network works on."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms import MapTransform

from transforms.grids.classifying import largest
from transforms.grids.restoring import Activation, class_shares


class LargestSharesd(MapTransform):
    """Turns logits into a label map on their own grid, by the rules of :func:`transforms.grids.restore_label_map`.

    Args:
        keys: Logits `(C, X, Y, Z)`; replaced by uint8 `(1, X, Y, Z)`.
        activation: `softmax`, or `sigmoid`: without a channel for the background, which is where none exceeds one half.
        allow_missing_keys: Passes over keys that are not there.
    """

    def __init__(
        self, keys: KeysCollection, activation: Activation = "softmax", *, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.activation: Activation = activation

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with label maps in place of logits."""
        done = dict(data)
        for key in self.key_iterator(done):
            logits = done[key]
            if self.activation == "softmax":  # which changes no order
                classes = logits.argmax(0, keepdim=True)
            else:
                classes = largest(class_shares(logits, self.activation), has_background=False)[None]
            done[key] = MetaTensor(classes, meta=logits.meta) if isinstance(logits, MetaTensor) else classes
        return done

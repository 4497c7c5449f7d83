"""A channel that tells a network where the volume ends."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform


class AddFieldOfViewd(MapTransform):
    """Puts under another key what is 1 in every voxel of a volume.

    Patches that look beyond the volume are padded with 0, so a network that is given both tells padding from air, and
    sees where the volume was cut.

    Args:
        keys: A volume `(C, X, Y, Z)`.
        field_key: Where its field of view `(1, X, Y, Z)` goes, on the same grid.
        allow_missing_keys: Passes over keys that are not there.
    """

    def __init__(
        self, keys: KeysCollection, field_key: str = "field_of_view", *, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.field_key = field_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with the field of view of the volume in it."""
        seen = dict(data)
        for key in self.key_iterator(seen):
            seen[self.field_key] = torch.ones_like(seen[key][:1])
        return seen

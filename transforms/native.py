"""The volume as it was read, kept beside the one that is processed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform


class KeepNatived(MapTransform):
    """Keeps the volume under another key, without a copy: later steps make new tensors and leave this one alone.

    Args:
        keys: The volume's key, one.
        name: Where it stays.
    """

    def __init__(self, keys: KeysCollection, name: str = "native") -> None:
        super().__init__(keys)
        self.name = name

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with one more key."""
        return {**data, self.name: data[self.first_key(dict(data))]}

"""Connected components of label maps."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms import MapTransform, get_largest_connected_component_mask
from numpy.typing import NDArray
from scipy import ndimage

from transforms.errors import SettingError
from transforms.grids.grid import Grid

TOUCHING = np.ones((3, 3, 3), dtype=bool)
"""Voxels belong together when they share a face, an edge or a corner."""


def remove_small_components(label_map: NDArray[np.uint8], min_voxels: float) -> None:
    """Sets components of a class that have fewer voxels than a limit to 0, in place.

    Args:
        label_map: `(X, Y, Z)`.
        min_voxels: Smallest number of voxels of a component that stays.
    """
    boxes: Sequence[tuple[slice, ...] | None] = ndimage.find_objects(label_map)
    for value, box in enumerate(boxes, start=1):
        if box is None:
            continue
        part = label_map[box]
        components, _ = ndimage.label(part == value, structure=TOUCHING)
        small = np.bincount(components.ravel()) < min_voxels
        small[0] = False
        part[small[components]] = 0


class RemoveSmallComponentsd(MapTransform):
    """Removes components under a volume from label maps.

    Args:
        keys: Label maps `(1, X, Y, Z)`, uint8 `MetaTensor`s.
        min_volume_ml: Smallest volume of a component that stays, in millilitres; 0 keeps everything.
        allow_missing_keys: Passes over keys that are not there.
    """

    def __init__(self, keys: KeysCollection, min_volume_ml: float, *, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        if min_volume_ml < 0:
            raise SettingError("a volume cannot be negative", where="min_volume_ml", found=min_volume_ml)
        self.min_volume_ml = min_volume_ml

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary; the label maps are changed in place."""
        cleaned = dict(data)
        if self.min_volume_ml > 0:
            for key in self.key_iterator(cleaned):
                label_map: MetaTensor = cleaned[key]
                voxel_ml = abs(np.linalg.det(Grid.of(label_map).affine[:3, :3])) / 1000
                voxels = label_map.as_subclass(torch.Tensor)[0].numpy()
                remove_small_components(voxels, self.min_volume_ml / voxel_ml)
        return cleaned


class KeepLargestComponentsd(MapTransform):
    """Keeps the largest component of a class alone in label maps: for what a patient has one of.

    Args:
        keys: Label maps `(1, X, Y, Z)`, uint8 `MetaTensor`s.
        values: Of the classes.
        allow_missing_keys: Passes over keys that are not there.
    """

    def __init__(self, keys: KeysCollection, values: Sequence[int], *, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.values = tuple(values)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary; the label maps are changed in place."""
        cleaned = dict(data)
        for key in self.key_iterator(cleaned) if self.values else ():
            voxels = cleaned[key].as_subclass(torch.Tensor)[0].numpy()
            boxes: Sequence[tuple[slice, ...] | None] = ndimage.find_objects(voxels)
            for value, box in enumerate(boxes, start=1):
                if value in self.values and box is not None:
                    of_class = voxels[box] == value
                    voxels[box][of_class & ~get_largest_connected_component_mask(of_class)] = 0
        return cleaned

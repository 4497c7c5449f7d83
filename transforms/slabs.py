"""Slabs: k neighbouring axial slices as the channels of one 2D input (2.5D)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms import MapTransform
from monai.utils import ensure_tuple

from transforms.errors import SettingError


def check_slices(slices: int) -> int:
    """Makes sure that a slab has a middle slice.

    Raises:
        SettingError: When `slices` is even or not positive.
    """
    if slices < 1 or slices % 2 == 0:
        raise SettingError(
            "a slab needs a middle slice", where="slices", found=slices, expected="an odd number, such as 3"
        )
    return slices


def axial_slabs(volume: torch.Tensor, slices: int) -> torch.Tensor:
    """The slab around every slice of a volume, without copying a slice more than once.

    The volume is copied once with the slice index first and `slices // 2` repeated slices at both ends; the slabs
    are overlapping views of that copy.

    Args:
        volume: `(C, X, Y, Z)`; the last index is the slice.
        slices: Slices of a slab, odd.

    Returns:
        A view `(Z, C, slices, X, Y)`: entry `[z, c, s]` is channel `c` of slice `z + s - slices // 2`. Flattening
        the second and third axis of a batch of it gives the input of a 2.5D network.
    """
    reach = check_slices(slices) // 2
    stack = volume.as_subclass(torch.Tensor).permute(3, 0, 1, 2)
    padded = torch.cat([stack[:1].expand(reach, -1, -1, -1), stack, stack[-1:].expand(reach, -1, -1, -1)])
    return padded.unfold(0, slices, 1).permute(0, 1, 4, 2, 3)


class ToSlabd(MapTransform):
    """Turns a patch that is one slab thick into the 2D input of a 2.5D network, and its label into the middle slice.

    Args:
        keys: The image `(C, X, Y, k)` becomes `(C * k, X, Y)`.
        label_keys: Each label map `(1, X, Y, k)` becomes `(1, X, Y)`, its middle slice.
        allow_missing_keys: Passes over keys that are not there.
    """

    def __init__(
        self, keys: KeysCollection, label_keys: KeysCollection = (), *, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.label_keys = ensure_tuple(label_keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with plain 2D tensors (a slice of a slab has no 3D affine)."""
        flat = dict(data)
        for key in self.key_iterator(flat):
            image = _plain(flat[key])
            check_slices(image.shape[-1])
            flat[key] = image.permute(0, 3, 1, 2).flatten(0, 1)
        for key in self.label_keys:
            if key in flat:
                label = _plain(flat[key])
                flat[key] = label[..., label.shape[-1] // 2]
        return flat


def _plain(volume: torch.Tensor) -> torch.Tensor:
    return volume.as_tensor() if isinstance(volume, MetaTensor) else volume

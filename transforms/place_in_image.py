"""A channel that tells a network where in its image a voxel lies."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms import MapTransform

from transforms.errors import SettingError
from transforms.grids.grid import Grid
from transforms.grids.network_grid import NETWORK_BOX

LEAST_MM = 8.0
"""Half axes of the ellipsoid in an image that has no room for one within the margin."""

UNIT_MM = 20.0
"""Distance by which values differ by one."""

REACH_MM = 40.0
"""Distance from the ellipsoid's surface beyond which all is alike."""


class AddPlaceInImaged(MapTransform):
    """Puts under another key how deep each voxel lies in the ellipsoid that fits into its image within a margin.

    Where images were cropped to a lesion and a margin, that ellipsoid is about where the lesion is. Values go from 0,
    40 mm or more outside of it, by 2 on its surface to 4, 40 mm or more inside: what is 0 beyond the volume is far
    outside. Only the image's box counts: where a volume is a part of its image, its meta says which
    (:class:`transforms.ToNetworkGridd`).

    Args:
        keys: A volume `(C, X, Y, Z)`.
        margin_mm: Between the sides of the image and the ellipsoid.
        place_key: Where the depths `(1, X, Y, Z)` go, float32, on the same grid.
        allow_missing_keys: Passes over keys that are not there.

    Raises:
        SettingError: When the margin is not a number from 0.
    """

    def __init__(
        self,
        keys: KeysCollection,
        margin_mm: float,
        place_key: str = "place_in_image",
        *,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if not 0 <= margin_mm < np.inf:
            raise SettingError(
                "the margin of the place in the image cannot be used", where="place_margin_mm", found=margin_mm,
                expected="millimetres from 0, or null for no such channel",
            )  # fmt: skip
        self.margin_mm = float(margin_mm)
        self.place_key = place_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with the depths in it."""
        placed = dict(data)
        for key in self.key_iterator(placed):
            volume: MetaTensor = placed[key]
            shape = volume.shape[1:]
            box = volume.meta.get(NETWORK_BOX, {"start": (0, 0, 0), "shape": shape})
            depth = depth_in_image(shape, box["start"], box["shape"], Grid.of(volume).spacing_mm, self.margin_mm)
            placed[self.place_key] = MetaTensor(depth[None].to(volume.device), affine=volume.affine)
        return placed


def depth_in_image(
    shape: Sequence[int],
    start: Sequence[int],
    image_shape: Sequence[int],
    spacing_mm: Sequence[float] | np.ndarray[Any, Any],
    margin_mm: float,
) -> torch.Tensor:
    """How deep the voxels of a part of an image lie in the image's ellipsoid, `(X, Y, Z)`.

    Args:
        shape: Voxels of the part.
        start: Where it begins in the image, in voxels.
        image_shape: Voxels of the image.
        spacing_mm: Along each axis.
        margin_mm: Between the sides of the image and the ellipsoid.
    """
    spacing = np.asarray(spacing_mm, dtype=np.float64)
    half = np.asarray(image_shape) * spacing / 2
    axes = np.maximum(half - margin_mm, LEAST_MM)
    squares = [
        torch.from_numpy((((np.arange(size) + first + 0.5) * step - middle) / axis) ** 2).float()
        for size, first, step, middle, axis in zip(shape, start, spacing, half, axes, strict=True)
    ]
    depth = (squares[0][:, None, None] + squares[1][:, None] + squares[2]).sqrt_()
    # In a ball 1 - r is the distance to the surface over the radius; an ellipsoid is taken for a ball of its volume.
    unit = float(axes.prod() ** (1 / 3)) / UNIT_MM
    return depth.mul_(-unit).add_(unit + REACH_MM / UNIT_MM).clamp_(0, 2 * REACH_MM / UNIT_MM)

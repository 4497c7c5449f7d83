"""Volumes cut again at random, where data sets were cropped around what is looked for."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable, SpatialCropd, generate_spatial_bounding_box

from transforms.errors import SettingError
from transforms.grids.network_grid import NETWORK_BOX, cut_box


class RandCutMarginsd(Randomizable, MapTransform):
    """Takes from each side of a volume a random share of what lies between it and the foreground.

    Data sets are often cropped to the box of a lesion and a fixed margin. A network then learns the margin, and is lost
    on a volume that was cut otherwise. No voxel of the foreground is ever cut away.

    Args:
        keys: Volumes `(C, X, Y, Z)` on one grid.
        label_key: The label map whose values above 0 are the foreground; without any the volume stays as it is.
        prob: Share of the samples that are cut.
        allow_missing_keys: Passes over keys that are not there.

    Raises:
        SettingError: When `prob` is not between 0 and 1.
    """

    def __init__(
        self, keys: KeysCollection, label_key: str = "label", *, prob: float = 0.5, allow_missing_keys: bool = False
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        if not 0 <= prob <= 1:
            raise SettingError("a share is out of range", where="prob", found=prob, expected="0 to 1")
        self.label_key = label_key
        self.prob = prob

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with what is left of each volume; their affines and places in the image follow."""
        whole = dict(data)
        drawn, low_shares, high_shares = self.R.uniform(), self.R.uniform(size=3), self.R.uniform(size=3)
        shape = np.array(whole[self.label_key].shape[1:])
        low, high = (np.array(corner) for corner in generate_spatial_bounding_box(whole[self.label_key]))
        if drawn >= self.prob or not (high > low).all():
            return whole
        start = np.floor(low_shares * low).astype(int)
        end = shape - np.floor(high_shares * (shape - high)).astype(int)
        cut: dict[Hashable, Any] = SpatialCropd(
            self.keys,
            roi_start=start.tolist(),
            roi_end=end.tolist(),
            allow_missing_keys=self.allow_missing_keys,
        )(whole)
        for key in self.key_iterator(cut):
            if NETWORK_BOX in cut[key].meta:
                cut[key].meta[NETWORK_BOX] = cut_box(cut[key].meta[NETWORK_BOX], start.tolist(), end.tolist())
        return cut

"""A training patch: its place, its deformation and its sampling in one step, for every key of a data dictionary."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import InvertibleTransform, MapTransform, Randomizable
from monai.utils import ensure_tuple_rep

from transforms.augmentation.affine_elastic import RandAffineElastic, as_volume, check_mode
from transforms.augmentation.deformation import DeformationRanges
from transforms.augmentation.placement import PatchPlacement
from transforms.augmentation.sampling import Mode
from transforms.augmentation.warp import Warp
from transforms.errors import GeometryError


class RandAffineElasticd(Randomizable, MapTransform, InvertibleTransform):
    """Cuts one patch out of several volumes, rotated, scaled, sheared, moved and elastically deformed.

    Every key is sampled once, all at the same positions, which are computed once. See :class:`RandAffineElastic`.
    The place is drawn so that a share of the patches shows each class.

    Args:
        keys: Volumes `(C, X, Y, Z)` and label maps on one grid.
        patch_size: Voxels of the patch; `None` for as many as the volume has, at its place.
        mode: `linear` or `nearest`, one for all keys or one each.
        ranges: How far the deformation goes; `None` leaves patches straight.
        prob: Share of patches that are deformed.
        indices_key: Where `ClassesToIndicesd` put the flat indices of each class; without, places are uniform.
        foreground: See :class:`PatchPlacement`.
        jitter: See :class:`PatchPlacement`.
        padding_value: What stands outside the volume; 0 outside of what is sampled by `nearest`.
        allow_missing_keys: Passes over keys that are not there.

    Raises:
        SettingError: When a setting cannot be used.
    """

    def __init__(
        self,
        keys: KeysCollection,
        patch_size: Sequence[int] | None = None,
        *,
        mode: Mode | Sequence[Mode] = ("linear", "nearest"),
        ranges: DeformationRanges | Mapping[str, Any] | None = None,
        prob: float = 1.0,
        indices_key: str | None = "label_cls_indices",
        foreground: float = 0.7,
        jitter: float = 0.6,
        padding_value: float = 0.0,
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        self.mode: tuple[Mode, ...] = tuple(check_mode(each) for each in ensure_tuple_rep(mode, len(self.keys)))
        self.indices_key = indices_key
        self.padding_value = padding_value
        self.patch = RandAffineElastic(
            patch_size, ranges=ranges, prob=prob, placement=PatchPlacement(foreground=foreground, jitter=jitter)
        )

    def set_random_state(
        self, seed: int | None = None, state: np.random.RandomState | None = None
    ) -> RandAffineElasticd:
        """Sets where all that is drawn comes from."""
        super().set_random_state(seed, state)
        self.patch.set_random_state(state=self.R)
        return self

    def randomize(self, data: Mapping[Hashable, Any]) -> None:
        """Draws the place and the deformation of a patch."""
        indices = data.get(self.indices_key) if self.indices_key else None
        self.patch.randomize(as_volume(data[self.first_key(dict(data))]), indices)

    def drawn(self, data: Mapping[Hashable, Any]) -> Warp:
        """Draws the place and the deformation of a patch, and hands them out instead of applying them.

        Raises:
            GeometryError: See :meth:`__call__`.
        """
        volumes = {key: as_volume(data[key]) for key in self.keys}
        _check_shapes(list(volumes), [tuple(volume.shape[1:]) for volume in volumes.values()])
        self.randomize(data)
        return self.patch.drawn()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with the patch in the place of each volume.

        Raises:
            GeometryError: When the volumes differ in shape, or have not three spatial axes.
        """
        cut = dict(data)
        found = list(self.key_iterator(cut, self.mode))
        if found:
            self.randomize(cut)
            volumes = [as_volume(cut[key]) for key, _ in found]
            _check_shapes([key for key, _ in found], [tuple(volume.shape[1:]) for volume in volumes])
            modes = [mode for _, mode in found]
            outside = [0.0 if mode == "nearest" else self.padding_value for mode in modes]
            cut.update(zip((key for key, _ in found), self.patch.apply(volumes, modes, outside), strict=True))
        if self.indices_key is not None:
            cut.pop(self.indices_key, None)
        return cut

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Brings every patch back to its place, see :meth:`RandAffineElastic.inverse`."""
        whole = dict(data)
        for key in self.key_iterator(whole):
            whole[key] = self.patch.inverse(whole[key])
        return whole


def _check_shapes(keys: Sequence[Hashable], shapes: Sequence[tuple[int, ...]]) -> None:
    for key, shape in zip(keys, shapes, strict=True):
        if shape != shapes[0]:
            raise GeometryError(
                "volumes that are deformed together differ in shape",
                where=str(key),
                found=shape,
                expected=f"{shapes[0]}, as {keys[0]} has",
            )

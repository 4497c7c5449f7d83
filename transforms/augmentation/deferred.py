"""A training patch that is drawn where samples are loaded, and sampled on the device where it is trained on."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable

from transforms.augmentation.affine_elastic import as_volume
from transforms.augmentation.affine_elasticd import RandAffineElasticd
from transforms.augmentation.intensity import IntensityChanges, IntensityRanges
from transforms.augmentation.sampling import Mode
from transforms.augmentation.warp import Warp
from transforms.slabs import ToSlabd

PATCH_KEY = "patch"
"""Where a deferred patch stands in the sample's dictionary, in the place of what it was drawn from."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DeferredPatch:
    """The part of its volumes that a patch needs, and all that was drawn for it; nothing is sampled yet.

    Attributes:
        volumes: Key to box `(C, I, J, K)`, all cut alike out of the case's volumes.
        modes: Interpolation of each.
        outside: What stands outside of each.
        warp: The patch's place in the box, and its deformation.
        flips: Axes along which it is mirrored.
        changes: Of the values of the first key; `None` for none.
        slab: Whether it is the slab of a 2.5D network.
    """

    volumes: dict[str, torch.Tensor]
    modes: tuple[Mode, ...]
    outside: tuple[float, ...]
    warp: Warp
    flips: tuple[int, ...]
    changes: IntensityChanges | None
    slab: bool = False

    def to(self, device: torch.device | str | None, non_blocking: bool = False) -> DeferredPatch:
        """The same on a device."""
        moved = {key: volume.to(device, non_blocking=non_blocking) for key, volume in self.volumes.items()}
        return replace(self, volumes=moved)

    def pin_memory(self) -> DeferredPatch:
        """The same in memory from which a GPU copies by itself; PyTorch's loader calls it."""
        return replace(self, volumes={key: volume.pin_memory() for key, volume in self.volumes.items()})

    def sample(self) -> dict[str, torch.Tensor]:
        """The patch of each key, `(C, *patch_size)` or, of a slab, 2D, on the device of the boxes."""
        patches = self.warp.apply(list(self.volumes.values()), self.modes, self.outside)
        sampled: dict[Any, Any] = dict(zip(self.volumes, patches, strict=True))
        image, *others = sampled
        if self.slab:
            sampled = ToSlabd(image, others)(sampled)
        if self.flips:
            sampled = {key: patch.flip([axis + 1 for axis in self.flips]) for key, patch in sampled.items()}
        if self.changes is not None:
            sampled[image] = self.changes.apply(sampled[image])
        return sampled


class RandDeferredPatchd(Randomizable, MapTransform):
    """Draws a training patch as the chain on the CPU does, and leaves its sampling for later.

    The place and the deformation of a seed are those of :class:`RandAffineElasticd`; flips and changes of values are
    distributed alike. What is handed on is small: the box of voxels that the patch needs, and numbers.

    Args:
        keys: See :class:`RandAffineElasticd`; the values of the first change.
        patch_size: Voxels of the patch.
        flip_axes: Axes that are mirrored at random.
        intensity: How values change; `None` leaves them.
        slab: Whether patches are slabs of a 2.5D network.
        padding_value: What stands outside the volume.
        **settings: Further ones of :class:`RandAffineElasticd`.

    Raises:
        SettingError: When a setting cannot be used.
    """

    def __init__(
        self,
        keys: KeysCollection,
        patch_size: Sequence[int],
        *,
        flip_axes: Sequence[int] = (),
        intensity: IntensityRanges | None = None,
        slab: bool = False,
        padding_value: float = 0.0,
        **settings: Any,
    ) -> None:
        MapTransform.__init__(self, keys)
        self.draws = RandAffineElasticd(keys, patch_size, padding_value=padding_value, **settings)
        self.flip_axes = tuple(flip_axes)
        self.intensity = intensity
        self.slab = slab
        self.padding_value = padding_value

    def set_random_state(
        self, seed: int | None = None, state: np.random.RandomState | None = None
    ) -> RandDeferredPatchd:
        """Sets where all that is drawn comes from."""
        super().set_random_state(seed, state)
        self.draws.set_random_state(state=self.R)
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with a :class:`DeferredPatch` under :data:`PATCH_KEY`, without the volumes.

        Raises:
            GeometryError: When the volumes differ in shape, or have not three spatial axes.
        """
        warp = self.draws.drawn(data)
        flips = tuple(axis for axis in self.flip_axes if self.R.uniform() < 0.5)
        changes = None if self.intensity is None else self.intensity.draw(self.R)
        volumes = {str(key): as_volume(data[key]).as_tensor() for key in self.keys}
        start, stop = warp.needed(volumes[str(self.keys[0])].shape[1:])
        box = (slice(None), *(slice(a, b) for a, b in zip(start, stop, strict=True)))
        modes = self.draws.mode
        patch = DeferredPatch(
            volumes={key: volume[box].clone(memory_format=torch.contiguous_format) for key, volume in volumes.items()},
            modes=modes,
            outside=tuple(0.0 if mode == "nearest" else self.padding_value for mode in modes),
            warp=replace(warp, centre=warp.centre - start),
            flips=flips,
            changes=changes,
            slab=self.slab,
        )
        rest = {key: value for key, value in data.items() if key not in (*self.keys, self.draws.indices_key)}
        return {**rest, PATCH_KEY: patch}

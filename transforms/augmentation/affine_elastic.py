"""A training patch: its place, its deformation and its sampling in one step."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms import MapTransform, Randomizable
from monai.utils import ensure_tuple_rep
from numpy.typing import NDArray

from transforms.augmentation.deformation import Deformation, DeformationRanges, draw_deformation, sample_patch
from transforms.errors import SettingError
from transforms.grids.grid import Grid
from transforms.grids.resampling import Mode


class RandAffineElasticd(Randomizable, MapTransform):
    """Cuts a patch out of a volume, rotated, scaled, sheared and elastically deformed, with one resampling a key.

    Only the voxels of the patch are sampled, so nothing is computed that is cropped away, and no corner of the patch
    is empty unless the volume ends there. The place is drawn so that a share of the patches shows each class.

    Args:
        keys: Volumes `(C, X, Y, Z)` and label maps on one grid.
        patch_size: Voxels of the patch.
        mode: `linear` or `nearest`, one for all keys or one each.
        ranges: How far the deformation goes; `None` leaves patches straight.
        prob: Share of patches that are deformed.
        indices_key: Where `ClassesToIndicesd` put the flat indices of each class; without, places are uniform.
        foreground: Share of patches that are placed around a voxel of a class above 0, all classes alike.
        jitter: How far such a voxel may lie off the patch's centre, as a share of half the patch.
        padding_value: What stands outside the volume; 0 outside of label maps.
    """

    def __init__(
        self,
        keys: KeysCollection,
        patch_size: Sequence[int],
        *,
        mode: Mode | Sequence[Mode] = ("linear", "nearest"),
        ranges: DeformationRanges | Mapping[str, Any] | None = None,
        prob: float = 1.0,
        indices_key: str | None = "label_cls_indices",
        foreground: float = 0.7,
        jitter: float = 0.6,
        padding_value: float = 0.0,
    ) -> None:
        MapTransform.__init__(self, keys)
        if len(patch_size) != 3 or any(int(size) < 1 for size in patch_size):
            raise SettingError("a patch needs three sizes", where="patch_size", found=list(patch_size))
        self.patch_size = tuple(int(size) for size in patch_size)
        self.mode: tuple[Mode, ...] = ensure_tuple_rep(mode, len(self.keys))
        self.ranges = DeformationRanges(**ranges) if isinstance(ranges, Mapping) else ranges
        self.prob = prob
        self.indices_key = indices_key
        self.foreground = foreground
        self.jitter = jitter
        self.padding_value = padding_value

    def draw(self, data: dict[Hashable, Any]) -> tuple[NDArray[np.float64], Deformation]:
        """Draws the centre, in voxels, and the deformation of a patch."""
        volume: MetaTensor = data[self.first_key(data)]
        grid = Grid.of(volume)
        centre = self._draw_centre(grid.shape, data.get(self.indices_key) if self.indices_key else None)
        extent = np.asarray(self.patch_size) * grid.spacing_mm
        if self.ranges is not None and self.R.uniform() < self.prob:
            deformation = draw_deformation(self.R, self.ranges, tuple(extent))
            return (self._on_slices(centre) if self.ranges.in_plane else centre), deformation
        return self._on_voxels(centre), Deformation(matrix=np.eye(3), control_mm=None, control_spacing_mm=1.0)

    def _draw_centre(self, shape: tuple[int, int, int], indices: Sequence[Any] | None) -> NDArray[np.float64]:
        half = np.asarray(self.patch_size) / 2
        present = [np.asarray(places) for places in (indices or [])[1:] if len(places)]
        if present and self.R.uniform() < self.foreground:
            places = present[self.R.randint(len(present))]
            voxel = np.array(np.unravel_index(int(places[self.R.randint(len(places))]), shape), dtype=np.float64)
            # A slab is as thin as its middle slice, which is the one that is learned: no jitter along it.
            centre = voxel + self.jitter * np.maximum(half - 1.5, 0) * self.R.uniform(-1, 1, 3)
        else:
            centre = self.R.uniform(0, 1, 3) * (np.asarray(shape) - 1)
        low = np.minimum(half, np.asarray(shape) / 2) - 0.5
        return np.clip(centre, low, np.asarray(shape) - 1 - low)

    def _on_voxels(self, centre: NDArray[np.float64]) -> NDArray[np.float64]:
        """The nearest centre whose patch, left straight, is a crop: nothing is interpolated."""
        half = np.asarray(self.patch_size) / 2
        return np.floor(centre - half + 1) + half - 0.5

    def _on_slices(self, centre: NDArray[np.float64]) -> NDArray[np.float64]:
        """The nearest centre whose slices are slices of the volume."""
        return np.array([*centre[:2], self._on_voxels(centre)[2]])

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with the patch in the place of each volume."""
        cut = dict(data)
        centre, deformation = self.draw(cut)
        spacing = Grid.of(cut[self.first_key(cut)]).spacing_mm
        position = deformation.offsets_mm(self.patch_size, tuple(spacing))
        for axis in range(3):
            position[axis].div_(float(spacing[axis])).add_(float(centre[axis]))
        for key, mode in self.key_iterator(cut, self.mode):
            volume: MetaTensor = cut[key]
            outside = self.padding_value if mode == "linear" else 0.0
            patch = sample_patch(volume.as_subclass(torch.Tensor), position, mode=mode, padding_value=outside)
            affine = volume.affine.clone()
            start = torch.as_tensor(centre - (np.asarray(self.patch_size) - 1) / 2, dtype=affine.dtype)
            affine[:3, 3] += affine[:3, :3] @ start
            cut[key] = MetaTensor(patch, affine=affine)
        if self.indices_key is not None:
            cut.pop(self.indices_key, None)
        return cut

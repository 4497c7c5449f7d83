"""Deformation of whole batches on the device where they are trained on."""

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

from transforms.augmentation.affine_elastic import check_mode
from transforms.augmentation.deformation import Deformation, DeformationRanges, draw_deformation
from transforms.augmentation.placement import on_voxels
from transforms.augmentation.positions import Positions
from transforms.augmentation.sampling import Mode, grid_sample, sample_patches
from transforms.errors import GeometryError, SettingError


class RandAffineElasticBatchd(Randomizable, MapTransform):
    """Deforms every sample of a batch on its own, on the batch's device, with one resampling a key.

    What is drawn is small (some thousand numbers a sample) and drawn on the CPU, so a seed gives the same deformations
    on every device; the positions are evaluated and sampled where the batch is. Without a record and an inverse: for
    the trainer, after the loader.

    Args:
        keys: Volumes `(B, C, X, Y, Z)` and label maps on one grid.
        patch_size: Voxels that are sampled, around the centre of each volume; `None` for as many as it has. A loader
            that cuts patches with a margin leaves no empty corners.
        mode: `linear` or `nearest`, one for all keys or one each.
        ranges: How far the deformations go.
        prob: Share of samples that are deformed; the others are cropped.
        spacing_mm: Of the voxels; `None` takes it from the affine of each sample.
        padding_value: What stands outside the volumes; 0 outside of what is sampled by `nearest`.
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
        spacing_mm: Sequence[float] | None = None,
        padding_value: float = 0.0,
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        if patch_size is not None and (len(patch_size) != 3 or any(int(size) < 1 for size in patch_size)):
            raise SettingError("a patch needs three sizes", where="patch_size", found=list(patch_size))
        self.patch_size = patch_size
        self.mode: tuple[Mode, ...] = tuple(check_mode(each) for each in ensure_tuple_rep(mode, len(self.keys)))
        self.ranges = DeformationRanges.of({} if ranges is None else ranges)
        self.prob = prob
        self.spacing_mm = spacing_mm
        self.padding_value = padding_value
        self.positions: list[Positions] = []

    def randomize(self, data: torch.Tensor) -> None:
        """Draws a deformation for every sample of a batch `(B, C, X, Y, Z)`."""
        spacings = self._spacings(data)
        shape = np.asarray(data.shape[2:])
        size = np.asarray(self.patch_size or shape)
        centre = on_voxels((shape - 1) / 2, size.tolist())
        # As many control points for all samples, so that they are evaluated in one go.
        extent = np.max([size * spacing for spacing in spacings], axis=0)
        self.positions = []
        for spacing in spacings:
            drawn = draw_deformation(self.R, self.ranges, extent)
            deformation = drawn if self.R.uniform() < self.prob else _still(drawn)
            self.positions.append(Positions.of(deformation, size.tolist(), spacing, centre))

    def _spacings(self, batch: torch.Tensor) -> list[NDArray[np.float64]]:
        if self.spacing_mm is not None:
            return [np.asarray(self.spacing_mm, dtype=np.float64)] * len(batch)
        if not isinstance(batch, MetaTensor):
            raise SettingError(
                "the voxel size of a batch is unknown", where="spacing_mm", remedy="Set it, or keep the affines"
            )
        affines = np.asarray(batch.affine, dtype=np.float64).reshape(-1, 4, 4)
        return [np.linalg.norm(affine[:3, :3], axis=0) for affine in np.broadcast_to(affines, (len(batch), 4, 4))]

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with plain tensors `(B, C, *patch_size)`.

        Raises:
            GeometryError: When the volumes differ in shape, or are no batch.
        """
        batch = dict(data)
        found = list(self.key_iterator(batch, self.mode))
        if not found:
            return batch
        first = batch[found[0][0]]
        for key, _ in found:
            if batch[key].ndim != 5 or batch[key].shape[2:] != first.shape[2:]:
                raise GeometryError(
                    "a batch cannot be deformed",
                    where=str(key),
                    found=tuple(batch[key].shape),
                    expected="(B, C, X, Y, Z), alike for all keys",
                )
        self.randomize(first)
        volumes = [_plain(batch[key]) for key, _ in found]
        modes = [mode for _, mode in found]
        outside = [0.0 if mode == "nearest" else self.padding_value for mode in modes]
        sampled = (_one_by_one if first.device.type == "cpu" else _at_once)(volumes, self.positions, modes, outside)
        batch.update(zip((key for key, _ in found), sampled, strict=True))
        return batch


def _still(drawn: Deformation) -> Deformation:
    """No deformation, with as many control points as another."""
    control = None if drawn.control_mm is None else np.zeros_like(drawn.control_mm)
    return Deformation(
        matrix=np.eye(3),
        translation_mm=np.zeros(3),
        control_mm=control,
        control_spacing_mm=drawn.control_spacing_mm,
    )


def _plain(volume: torch.Tensor) -> torch.Tensor:
    return volume.as_tensor() if isinstance(volume, MetaTensor) else volume


def _one_by_one(
    volumes: Sequence[torch.Tensor], positions: Sequence[Positions], modes: Sequence[Mode], outside: Sequence[float]
) -> list[torch.Tensor]:
    samples = [
        sample_patches([volume[index] for volume in volumes], places, modes, outside)
        for index, places in enumerate(positions)
    ]
    return [torch.stack(of_key) for of_key in zip(*samples, strict=True)]


def _at_once(
    volumes: Sequence[torch.Tensor], positions: Sequence[Positions], modes: Sequence[Mode], outside: Sequence[float]
) -> list[torch.Tensor]:
    device = volumes[0].device
    nodes = torch.from_numpy(np.stack([places.nodes for places in positions])).float().to(device, non_blocking=True)
    bases = [torch.stack([places.bases[axis] for places in positions]).to(device) for axis in range(3)]
    dense = torch.einsum("bcijk,bxi->bcxjk", nodes, bases[0])
    dense = torch.einsum("bcxjk,byj->bcxyk", dense, bases[1])
    dense = torch.einsum("bcxyk,bzk->bcxyz", dense, bases[2])
    return [
        grid_sample(volume, dense, mode=mode, outside=value)
        for volume, mode, value in zip(volumes, modes, outside, strict=True)
    ]

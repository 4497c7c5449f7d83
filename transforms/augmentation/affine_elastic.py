"""A patch of one volume, rotated, scaled, sheared, moved and elastically deformed with one resampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.data.meta_obj import get_track_meta
from monai.data.meta_tensor import MetaTensor
from monai.transforms import InvertibleTransform, Randomizable
from monai.utils import TraceKeys
from numpy.typing import NDArray

from transforms.augmentation.deformation import Deformation, DeformationRanges, draw_deformation
from transforms.augmentation.placement import PatchPlacement, on_slices, on_voxels
from transforms.augmentation.sampling import Mode
from transforms.augmentation.warp import Warp
from transforms.errors import GeometryError, SettingError
from transforms.grids.grid import Grid


class RandAffineElastic(Randomizable, InvertibleTransform):
    """Cuts a patch out of a volume, rotated, scaled, sheared, moved and elastically deformed, with one resampling.

    Only the voxels of the patch are sampled, so nothing is computed that is cropped away, and no corner of the patch
    is empty unless the volume ends there. :meth:`randomize` draws, calling applies; a second volume on the same grid
    gets the same patch with `randomize=False`.

    Args:
        patch_size: Voxels of the patch; `None` for as many as the volume has, at its place.
        ranges: How far the deformation goes, in degrees and millimetres; `None` leaves patches straight.
        prob: Share of patches that are deformed.
        mode: `linear` or `nearest`.
        padding_value: What stands outside the volume.
        placement: Where patches lie that are smaller than the volume.

    Raises:
        SettingError: When a setting cannot be used.

    Example:
        >>> transform = RandAffineElastic((8, 8, 8), ranges={"elastic_mm": 2, "elastic_spacing_mm": 10})
        >>> image, label = torch.rand(1, 16, 16, 16), torch.ones(1, 16, 16, 16, dtype=torch.uint8)
        >>> transform = transform.set_random_state(seed=0)
        >>> tuple(transform(image).shape), transform(label, mode="nearest", randomize=False).dtype
        ((1, 8, 8, 8), torch.uint8)
    """

    def __init__(
        self,
        patch_size: Sequence[int] | None = None,
        *,
        ranges: DeformationRanges | Mapping[str, Any] | None = None,
        prob: float = 1.0,
        mode: Mode = "linear",
        padding_value: float = 0.0,
        placement: PatchPlacement | None = None,
    ) -> None:
        if patch_size is not None and (len(patch_size) != 3 or any(int(size) < 1 for size in patch_size)):
            raise SettingError("a patch needs three sizes", where="patch_size", found=list(patch_size))
        if not 0 <= prob <= 1:
            raise SettingError("a probability is out of range", where="prob", found=prob, expected="0 to 1")
        self.patch_size = patch_size
        self.ranges = None if ranges is None else DeformationRanges.of(ranges)
        self.prob = prob
        self.mode = check_mode(mode)
        self.padding_value = padding_value
        self.placement = placement or PatchPlacement()
        self.warp: Warp | None = None

    def randomize(self, data: MetaTensor, indices: Sequence[Any] | None = None) -> None:
        """Draws the place and the deformation of a patch of a volume, which become :attr:`warp`.

        Args:
            data: The volume `(C, X, Y, Z)`.
            indices: Flat indices of voxels of each class, around which patches are placed.
        """
        grid = Grid.of(data)
        x, y, z = (int(size) for size in self.patch_size or grid.shape)
        centre = (np.asarray(grid.shape) - 1) / 2
        if self.patch_size is not None:
            centre = self.placement.draw(self.R, grid.shape, (x, y, z), indices)
        deformation = Deformation.identity()
        if self.ranges is not None and self.R.uniform() < self.prob:
            deformation = draw_deformation(self.R, self.ranges, (np.array([x, y, z]) * grid.spacing_mm).tolist())
            if self.ranges.in_plane:
                centre = on_slices(centre, (x, y, z))
        else:
            centre = on_voxels(centre, (x, y, z))
        self.warp = Warp(patch_size=(x, y, z), centre=centre, spacing_mm=grid.spacing_mm, deformation=deformation)

    def __call__(
        self, data: torch.Tensor | NDArray[Any], mode: Mode | None = None, randomize: bool = True
    ) -> torch.Tensor:
        """The patch `(C, *patch_size)` of a volume `(C, X, Y, Z)`.

        Its affine says where it would lie were it not deformed; its `applied_operations` hold all that
        :meth:`inverse` needs.

        Args:
            data: The volume; without an affine its voxels measure 1 mm.
            mode: Instead of the transform's own.
            randomize: Whether a new patch is drawn, or the last one taken again.

        Raises:
            GeometryError: When the volume has not three spatial axes.
            SettingError: When nothing was drawn before.
        """
        volume = as_volume(data)
        if randomize:
            self.randomize(volume)
        return self.apply([volume], [mode or self.mode], [self.padding_value])[0]

    def apply(self, volumes: Sequence[MetaTensor], modes: Sequence[Mode], outside: Sequence[float]) -> list[MetaTensor]:
        """The drawn patch of several volumes on one grid.

        Args:
            volumes: Each `(C, X, Y, Z)`.
            modes: Of each.
            outside: What stands outside of each.

        Raises:
            SettingError: When nothing was drawn before.
        """
        warp = self.drawn()
        patches = warp.apply([volume.as_tensor() for volume in volumes], modes, outside)
        return [
            self._placed(patch, volume, {"mode": mode, "outside": value}, warp)
            for patch, volume, mode, value in zip(patches, volumes, modes, outside, strict=True)
        ]

    def drawn(self) -> Warp:
        """What was drawn last.

        Raises:
            SettingError: When nothing was.
        """
        if self.warp is None:
            raise SettingError("no patch was drawn", where="randomize", remedy="Call with randomize=True first")
        return self.warp

    def _placed(self, patch: torch.Tensor, volume: MetaTensor, extra: dict[str, Any], warp: Warp) -> MetaTensor:
        if not get_track_meta():
            return patch  # type: ignore[return-value]  # as MONAI's transforms do
        affine = volume.affine.clone()
        affine[:3, 3] += affine[:3, :3] @ torch.as_tensor(warp.start, dtype=affine.dtype)
        placed = MetaTensor(
            patch, affine=affine, meta=_collatable(volume.meta), applied_operations=list(volume.applied_operations)
        )
        info = {**warp.record(), **extra, "affine": volume.affine.numpy()}
        self.push_transform(placed, orig_size=tuple(volume.shape[1:]), extra_info=info)  # type: ignore[no-untyped-call]
        return placed

    def inverse(self, data: MetaTensor) -> MetaTensor:
        """Brings a patch, or what a network made of it, back to its place in the volume.

        Voxels that the patch does not show get the padding value. The field is inverted to a small part of a voxel;
        what the patch interpolated, it does not bring back.

        Args:
            data: `(C, *patch_size)` with the patch's `applied_operations`.
        """
        info = self.pop_transform(data)
        extra = info[TraceKeys.EXTRA_INFO]
        shape = [int(size) for size in info[TraceKeys.ORIG_SIZE]]
        whole = Warp.from_record(extra).undo(
            data.as_tensor(), shape, mode=extra["mode"], outside=float(extra["outside"])
        )
        meta = {key: value for key, value in data.meta.items() if key != "affine"}
        affine = torch.as_tensor(extra["affine"])
        return MetaTensor(whole, affine=affine, meta=meta, applied_operations=data.applied_operations)


def check_mode(mode: Mode) -> Mode:
    """Makes sure that an interpolation is known.

    Raises:
        SettingError: When it is not.
    """
    if mode not in ("linear", "bilinear", "nearest"):
        raise SettingError("the interpolation is unknown", where="mode", found=mode, expected="linear or nearest")
    return mode


def as_volume(data: torch.Tensor | NDArray[Any]) -> MetaTensor:
    """A volume `(C, X, Y, Z)` with an affine, without a copy.

    Raises:
        GeometryError: When it has not three spatial axes.
    """
    volume = data if isinstance(data, MetaTensor) else MetaTensor(torch.as_tensor(data))
    if volume.ndim != 4:
        raise GeometryError(
            "a volume needs a channel and three axes", found=tuple(volume.shape), expected="(C, X, Y, Z)"
        )
    return volume


def _collatable(meta: Mapping[Any, Any]) -> dict[Any, Any]:
    """What of a volume's meta patches of different cases can be batched with: lists differ in length."""
    return {
        key: value
        for key, value in meta.items()
        if key != "affine" and isinstance(value, str | int | float | np.ndarray | torch.Tensor)
    }

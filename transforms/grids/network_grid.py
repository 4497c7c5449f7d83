"""From the native grid to the network's: orientation and spacing in one resampling."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms import MapTransform
from monai.utils import ensure_tuple_rep

from transforms.errors import SettingError
from transforms.grids.grid import Grid, placed
from transforms.grids.resampling import Mode, resample


def network_grid(grid: Grid, spacing_mm: Sequence[float | None], orientation: str = "RAS") -> Grid:
    """The grid of a spacing and orientation over the extent of another, starting at the centre of its first voxel.

    It is the grid that MONAI's `Orientation` and `Spacing` make, so weights carry over between the two.

    Args:
        grid: The grid to cover.
        spacing_mm: Along each axis after reorientation; `None` keeps what is there.
        orientation: Three axis codes, `R` or `L`, `A` or `P`, `S` or `I`.

    Raises:
        SettingError: When a spacing is not positive, or the orientation is not one.
    """
    _check(spacing_mm, orientation)
    turned = grid.oriented(orientation)
    have = turned.spacing_mm
    want = np.array([have[axis] if spacing is None else spacing for axis, spacing in enumerate(spacing_mm)])
    steps = (np.asarray(turned.shape) - 1) * have / want
    affine = turned.affine.copy()
    affine[:3, :3] *= want / have
    x, y, z = (int(voxels) for voxels in np.round(steps + 1))
    return Grid(shape=(x, y, z), affine=affine)


def _check(spacing_mm: Sequence[float | None], orientation: str) -> None:
    if len(spacing_mm) != 3 or any(spacing is not None and not 0.01 <= spacing <= 100 for spacing in spacing_mm):
        raise SettingError(
            "the spacing of the network grid cannot be used",
            where="spacing_mm",
            found=list(spacing_mm),
            expected="three numbers of millimetres between 0.01 and 100, or null to keep the input's",
        )
    if len(orientation) != 3 or {frozenset("RL"), frozenset("AP"), frozenset("SI")} != {
        next((pair for pair in map(frozenset, ("RL", "AP", "SI")) if code in pair), None) for code in orientation
    }:
        raise SettingError(
            "the orientation of the network grid is none",
            where="orientation",
            found=orientation,
            expected="such as RAS",
        )


class ToNetworkGridd(MapTransform):
    """Brings volumes and label maps to the network grid, orientation and spacing in one resampling.

    Args:
        keys: Channel-first `MetaTensor`s `(C, X, Y, Z)`.
        spacing_mm: Of the network grid along x, y, z after reorientation; `None` keeps the input's.
        orientation: Axis codes of the network grid.
        mode: `linear` or `nearest`, one for all keys or one each.
        allow_missing_keys: Passes over keys that are not there.
    """

    def __init__(
        self,
        keys: KeysCollection,
        spacing_mm: Sequence[float | None],
        *,
        orientation: str = "RAS",
        mode: Mode | Sequence[Mode] = "linear",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        _check(spacing_mm, orientation)
        self.spacing_mm = tuple(spacing_mm)
        self.orientation = orientation
        self.mode: tuple[Mode, ...] = ensure_tuple_rep(mode, len(self.keys))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with each volume on its network grid, meta kept."""
        moved = dict(data)
        for key, mode in self.key_iterator(moved, self.mode):
            volume: MetaTensor = moved[key]
            source = Grid.of(volume)
            target = network_grid(source, self.spacing_mm, self.orientation)
            voxels = resample(volume, source, target, mode=mode).contiguous()
            moved[key] = placed(voxels, target.affine, volume.meta)
        return moved

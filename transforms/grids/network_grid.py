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
from transforms.grids.grid import AxisMap, Grid, placed
from transforms.grids.resampling import Mode, resample

UNCROPPED = "uncropped"
"""Key of the meta with the shape and affine of the volume that another one was cropped from."""

NETWORK_BOX = "network_box"
"""Key of the meta that says which part of the whole volume's network grid a volume is: `start`, `stop`, `shape`."""

ON_EDGE = 1e-2
"""How far outside the outermost centres, in network voxels, a network voxel still lies within: rounding."""

BEYOND = 0.5 + 1e-2
"""The same at the ends of the volume: the last voxel of MONAI's grid may lie up to half a voxel beyond it."""


def network_grid(
    grid: Grid,
    spacing_mm: Sequence[float | None],
    orientation: str = "RAS",
    *,
    size: Sequence[int | None] = (None, None, None),
) -> Grid:
    """The grid of a spacing and orientation over the extent of another, starting at the centre of its first voxel.

    It is the grid that MONAI's `Orientation` and `Spacing` make, so weights carry over between the two. Along an axis
    with a size the outer edges of both grids meet instead, as where pictures are resized.

    Args:
        grid: The grid to cover.
        spacing_mm: Along each axis after reorientation; `None` keeps what is there.
        orientation: Three axis codes, `R` or `L`, `A` or `P`, `S` or `I`.
        size: Voxels along each axis after reorientation; where there is a number, the spacing follows from it.

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
    return _sized(Grid(shape=(x, y, z), affine=affine), turned, size)


def _sized(grid: Grid, whole: Grid, size: Sequence[int | None]) -> Grid:
    """A grid with other numbers of voxels over the extent of a whole one, edge to edge."""
    shape, affine = list(grid.shape), grid.affine.copy()
    for axis, voxels in enumerate(size):
        if voxels is not None:
            ratio = whole.shape[axis] / voxels
            shape[axis] = int(voxels)
            affine[:3, axis] = whole.affine[:3, axis] * ratio
            affine[:3, 3] += whole.affine[:3, axis] * (ratio - 1) / 2
    x, y, z = shape
    return Grid(shape=(x, y, z), affine=affine)


def network_part(grid: Grid, uncropped: Grid, whole: Grid) -> tuple[Grid, tuple[int, ...]]:
    """The part of a network grid whose voxels lie within a part of a volume, and where it begins.

    Where that part reaches the end of the volume, so does the network grid, whose last voxel may lie a little beyond.

    Args:
        grid: What there is of the volume.
        uncropped: The volume.
        whole: Its network grid.

    Returns:
        All of the network grid where nothing of it lies within.
    """
    onto, within = AxisMap.between(whole, grid), AxisMap.between(uncropped, grid)
    start, stop = [0, 0, 0], list(whole.shape)
    for axis, network_axis in enumerate(onto.axes):
        sides = []
        for at in (0, grid.shape[axis] - 1):
            is_end = round(within.offset[axis]) + at in (0, uncropped.shape[within.axes[axis]] - 1)
            sides.append((onto.scale[axis] * at + onto.offset[axis], BEYOND if is_end else ON_EDGE))
        (low, before), (high, behind) = sorted(sides)
        start[network_axis] = max(0, int(np.ceil(low - before)))
        stop[network_axis] = min(whole.shape[network_axis], int(np.floor(high + behind)) + 1)
    if any(first >= last for first, last in zip(start, stop, strict=True)):
        return whole, (0, 0, 0)
    return whole.cropped(start, stop), tuple(start)


def cut_box(box: Mapping[str, Sequence[int]], start: Sequence[int], stop: Sequence[int]) -> dict[str, list[int]]:
    """What :data:`NETWORK_BOX` says of a volume after it was cut, as if its image had been cut.

    A side that was cut is one where the image ends; another lies where it lay in the image.

    Args:
        box: Of the volume before.
        start: Its first voxel that is kept, along each axis.
        stop: The voxel after the last.
    """
    first, size, shape = [], [], []
    for low, high, whole, begin, end in zip(box["start"], box["stop"], box["shape"], start, stop, strict=True):
        image_low = low + begin if begin > 0 else 0
        image_high = low + end if low + end < high else whole
        first.append(low + begin - image_low)
        size.append(end - begin)
        shape.append(image_high - image_low)
    return {"start": first, "stop": [a + b for a, b in zip(first, size, strict=True)], "shape": shape}


def _check_size(size: Sequence[int | None]) -> None:
    if len(size) != 3 or any(voxels is not None and int(voxels) < 1 for voxels in size):
        raise SettingError(
            "the size of the network grid cannot be used", where="image_size", found=list(size),
            expected="numbers of voxels, or null to go by the spacing",
        )  # fmt: skip


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

    A volume that :class:`transforms.RegionOfInterestd` cropped gets a part of the grid that the whole one would have,
    so that its voxels lie where they would lie without cropping; its meta says which part.

    Args:
        keys: Channel-first `MetaTensor`s `(C, X, Y, Z)`.
        spacing_mm: Of the network grid along x, y, z after reorientation; `None` keeps the input's.
        orientation: Axis codes of the network grid.
        mode: `linear` or `nearest`, one for all keys or one each.
        size: Voxels along x, y, z after reorientation, whatever the spacing; `None` along an axis goes by the spacing.
        allow_missing_keys: Passes over keys that are not there.
    """

    def __init__(
        self,
        keys: KeysCollection,
        spacing_mm: Sequence[float | None],
        *,
        orientation: str = "RAS",
        size: Sequence[int | None] = (None, None, None),
        mode: Mode | Sequence[Mode] = "linear",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        _check(spacing_mm, orientation)
        _check_size(size)
        self.size = tuple(size)
        self.spacing_mm = tuple(spacing_mm)
        self.orientation = orientation
        self.mode: tuple[Mode, ...] = ensure_tuple_rep(mode, len(self.keys))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with each volume on its network grid, meta kept."""
        moved = dict(data)
        for key, mode in self.key_iterator(moved, self.mode):
            volume: MetaTensor = moved[key]
            source = Grid.of(volume)
            meta = dict(volume.meta)
            uncropped = meta.pop(UNCROPPED, None)
            whole_source = source if uncropped is None else Grid(shape=uncropped["shape"], affine=uncropped["affine"])
            whole = network_grid(whole_source, self.spacing_mm, self.orientation, size=self.size)
            target, start = (whole, (0, 0, 0)) if uncropped is None else network_part(source, whole_source, whole)
            stop = [first + size for first, size in zip(start, target.shape, strict=True)]
            meta[NETWORK_BOX] = {"start": list(start), "stop": stop, "shape": list(whole.shape)}
            voxels = resample(volume, source, target, mode=mode).contiguous()
            moved[key] = placed(voxels, target.affine, meta)
        return moved

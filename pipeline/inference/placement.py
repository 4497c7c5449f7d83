"""Where patches lie in a volume: on a lattice, or only where something is to be found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from monai.data.meta_tensor import MetaTensor

from transforms.errors import SettingError
from transforms.grids import NETWORK_BOX, AxisMap, Grid, PatchLattice, resample
from transforms.grids.lattice import Ranges

Place = tuple[slice, slice, slice]
"""The box of a patch."""

Placement = Literal["lattice", "adaptive", "fewest"]
"""`lattice`: those patches of the whole volume that have a say; `adaptive`: some of these, and the others where
something is found; `fewest`: as few as hold the mask."""

_Range = tuple[int, int]
_Mask = npt.NDArray[np.bool_]


def check_placement(placement: Placement) -> Placement:
    """Makes sure that a name of :data:`Placement` is one, before any work is done.

    Raises:
        SettingError: When the name is unknown.
    """
    if placement not in get_args(Placement):
        raise SettingError(
            "the placement is unknown", where="placement", found=placement, expected=" or ".join(get_args(Placement))
        )
    return placement


def places_in(volume: torch.Tensor, patches: PatchLattice, within: str | None, placement: Placement) -> list[Place]:
    """The patches that search a volume, or what of it a mask in its meta names.

    On the lattice, a part of a volume is searched as the whole would be, if it holds all patches that have a say in the
    mask (:class:`transforms.RegionOfInterestd` crops so); else it is taken for a whole.

    Args:
        volume: `(C, X, Y, Z)`.
        patches: Their size, their overlap, and where they lie on a whole volume.
        within: Key of the meta with the mask; without it, or with an empty one, everything is searched.
        placement: What to do with a mask; patches of two looks are those of the lattice.

    Returns:
        Places in the volume padded to at least a patch on both sides alike, in the order of x, y and z.
    """
    shape = tuple(max(extent, size) for extent, size in zip(volume.shape[1:], patches.patch_size, strict=True))
    meta = getattr(volume, "meta", {})
    mask = _mask(volume, within)
    if mask is None:
        return lattice(shape, patches.patch_size, patches.overlap)
    if placement != "fewest":
        start, whole = _part(volume, meta)
        corners = patches.chosen(whole, _Hit(mask, volume, start))
        moved = [[at - first for at, first in zip(corner, start, strict=True)] for corner in corners]
        if all(_fits(corner, patches.patch_size, shape) for corner in moved):
            return [_place(corner, patches.patch_size) for corner in moved]
    return covering(_on_grid(mask, volume, shape), patches.patch_size, patches.overlap)


def _part(volume: torch.Tensor, meta: Mapping[Any, Any]) -> tuple[list[int], list[int]]:
    """Where a volume begins on the grid of the whole one, and that grid's shape."""
    shape = list(volume.shape[1:])
    box = meta.get(NETWORK_BOX)
    if box is None or [stop - start for start, stop in zip(box["start"], box["stop"], strict=True)] != shape:
        return [0, 0, 0], shape
    return box["start"], box["shape"]


def searched_mask(volume: torch.Tensor, within: str | None, shape: Sequence[int]) -> torch.Tensor | None:
    """The mask that :func:`places_in` heeds, on a volume's grid.

    Args:
        volume: `(C, X, Y, Z)`.
        within: Key of the volume's meta with the mask.
        shape: To which the volume is padded on both sides alike.

    Returns:
        Bool `(*shape)`; `None` where everything is searched.
    """
    mask = _mask(volume, within)
    return None if mask is None else torch.from_numpy(_on_grid(mask, volume, shape))


def searched_box(volume: torch.Tensor, within: str | None) -> Place | None:
    """The box of the mask that :func:`places_in` heeds, in a volume's indices.

    Args:
        volume: `(C, X, Y, Z)`.
        within: Key of the meta with the mask.

    Returns:
        `None` where everything is searched.
    """
    mask = _mask(volume, within)
    if mask is None:
        return None
    onto = AxisMap.between(Grid.of(mask), Grid.of(volume))  # type: ignore[arg-type]
    sides = []
    for axis, mask_axis in enumerate(onto.axes):
        others = [other for other in range(3) if other != mask_axis]
        hit = np.flatnonzero((mask[0].as_subclass(torch.Tensor) > 0).cpu().numpy().any(axis=tuple(others)))
        ends = sorted((at - onto.offset[axis]) / onto.scale[axis] for at in (hit[0] - 0.5, hit[-1] + 0.5))
        extent = volume.shape[axis + 1]
        sides.append(slice(min(max(0, int(np.ceil(ends[0]))), extent), min(max(0, int(np.floor(ends[1])) + 1), extent)))
    return sides[0], sides[1], sides[2]


def _mask(volume: torch.Tensor, within: str | None) -> MetaTensor | None:
    found = getattr(volume, "meta", {}).get(within)
    return found if isinstance(found, MetaTensor) and bool(found.any()) else None


class _Hit:
    """Whether a mask on a coarse grid is set somewhere in a box of the fine one.

    Args:
        mask: `(1, X, Y, Z)`.
        volume: On the fine grid.
        start: Where the volume begins in the indices of the boxes.
    """

    def __init__(self, mask: MetaTensor, volume: torch.Tensor, start: Sequence[int]) -> None:
        axis_map = AxisMap.between(Grid.of(mask), Grid.of(volume))  # type: ignore[arg-type]
        self._mask = (mask[0].as_subclass(torch.Tensor).permute(axis_map.axes) > 0).cpu().numpy()
        self._axes = list(zip(axis_map.scale, axis_map.offset, start, self._mask.shape, strict=True))

    def __call__(self, ranges: Ranges) -> bool:
        box = []
        for (first, last), (scale, offset, start, extent) in zip(ranges, self._axes, strict=True):
            ends = sorted(int(np.floor(scale * (at - start) + offset + 0.5)) for at in (first, last - 1))
            box.append(slice(max(0, min(ends[0], extent - 1)), max(0, ends[1]) + 1))
        return bool(self._mask[tuple(box)].any())


def _fits(corner: Sequence[int], patch_size: Sequence[int], shape: Sequence[int]) -> bool:
    return all(
        start >= 0 and start + size <= extent for start, size, extent in zip(corner, patch_size, shape, strict=True)
    )


def _on_grid(mask: MetaTensor, volume: torch.Tensor, shape: Sequence[int]) -> _Mask:
    """A mask on a volume's grid, padded to a shape on both sides alike."""
    on_grid = resample(mask, Grid.of(mask), Grid.of(volume), mode="nearest")  # type: ignore[arg-type]
    padding = [extent - size for extent, size in zip(shape, volume.shape[1:], strict=True)]
    padded: _Mask = np.pad(on_grid[0].cpu().numpy() > 0, [(pad // 2, pad - pad // 2) for pad in padding])
    return padded


def lattice(shape: Sequence[int], patch_size: Sequence[int], overlap: float) -> list[Place]:
    """The patches of MONAI's `SlidingWindowInferer`: a fixed step, the last one flush with the end.

    Args:
        shape: Voxels of the volume, at least the patch's.
        patch_size: Voxels of a patch.
        overlap: Share of a patch that the next one covers again, in `[0, 1)`.
    """
    starts = PatchLattice(patch_size=tuple(patch_size), overlap=overlap).starts(shape)
    return [_place(corner, patch_size) for corner in product(*starts)]


def covering(mask: npt.NDArray[np.bool_], patch_size: Sequence[int], overlap: float) -> list[Place]:
    """Few patches that hold a whole mask, evenly spread over it.

    The mask is cut into layers along x, each layer into rows along y, each row into patches along z; each time only
    the range that the mask still takes up is covered, so organs that taper need fewer patches than their box.

    Args:
        mask: `(X, Y, Z)`, at least the patch's size.
        patch_size: Voxels of a patch.
        overlap: Least share of a patch that the next one covers again, in `[0, 1)`.

    Returns:
        The patches in the order of x, y and z; none for an empty mask.
    """
    return [_place(corner, patch_size) for corner in _corners(mask, patch_size, overlap)]


def _corners(mask: npt.NDArray[np.bool_], patch_size: Sequence[int], overlap: float) -> Iterator[tuple[int, ...]]:
    size, rest = int(patch_size[0]), patch_size[1:]
    taken = np.flatnonzero(mask.reshape(len(mask), -1).any(axis=1))
    if not taken.size:
        return
    for start in _spread((int(taken[0]), int(taken[-1]) + 1), size, len(mask), overlap):
        if not rest:
            yield (start,)
        else:
            layer = np.asarray(mask[start : start + size].any(axis=0))
            yield from ((start, *corner) for corner in _corners(layer, rest, overlap))


def _spread(taken: _Range, size: int, extent: int, overlap: float) -> list[int]:
    """Evenly spread starts of the fewest ranges of `size` that cover another one, within `0..extent`."""
    first, last = taken
    step = max(1, int(size * (1 - overlap)))
    count = 1 if last - first <= size else -(-(last - first - size) // step) + 1
    slack = count * size - (last - first)
    lowest = first - slack // 2 if count == 1 else first
    highest = lowest if count == 1 else last - size
    starts = np.linspace(lowest, highest, count).round().astype(int).clip(0, max(0, extent - size))
    return [int(start) for start in starts]


def _place(corner: Sequence[int], patch_size: Sequence[int]) -> Place:
    x, y, z = (slice(start, start + int(size)) for start, size in zip(corner, patch_size, strict=True))
    return x, y, z

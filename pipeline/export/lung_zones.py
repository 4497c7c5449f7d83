"""Upper, middle and lower third of each lung, the lesions in them, and the lungs' density."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.export.class_counts import value_boxes

Array = npt.NDArray[Any]

#: Values of a lung mask.
LEFT, RIGHT = 1, 2
#: Names of a lung's thirds, from the feet upwards.
THIRDS = ("lower", "middle", "upper")
#: Emphysema-like on thin slices at full inspiration (Gevenois et al. 1996).
BELOW_HU = -950
#: The range of ground glass, both ends included.
HAZY_HU = (-700, -300)

_LABELS = 256
_VOXELS_AT_ONCE = 2**22


@dataclass(frozen=True, kw_only=True)
class LungCounts:
    """What was counted in the lungs of one case; rows are the left lung and the right.

    Attributes:
        voxels: ``int64 (2, 3, 256)``: by side, third (lower, middle, upper) and label value.
        hu_sum: ``float64 (2,)``: sum of HU by side.
        below: ``int64 (2,)``: voxels below :data:`BELOW_HU`.
        hazy: ``int64 (2,)``: voxels in :data:`HAZY_HU`.
    """

    voxels: npt.NDArray[np.int64]
    hu_sum: npt.NDArray[np.float64]
    below: npt.NDArray[np.int64]
    hazy: npt.NDArray[np.int64]

    @property
    def by_side(self) -> npt.NDArray[np.int64]:
        """Lung voxels of either side, ``(2,)``."""
        sums: npt.NDArray[np.int64] = self.voxels.sum(axis=(1, 2))
        return sums


def count_lungs(label_map: Array, hu: Array, lungs: Array, affine: npt.NDArray[np.float64]) -> LungCounts:
    """Count the voxels of both lungs, a block of slices at a time.

    A lung is parted into thirds of equal height along the patient's long axis, from its lowest voxel to its highest;
    a voxel belongs to the third that its centre lies in, also where the grid is oblique.

    Args:
        label_map: ``uint8 (X, Y, Z)``.
        hu: ``(X, Y, Z)``.
        lungs: ``uint8 (X, Y, Z)``, 1 left and 2 right.
        affine: ``float64 (4, 4)``, voxel to RAS+ millimetres.

    Returns:
        The counts; zeros for a lung that is missing.
    """
    voxels = np.zeros((2, 3, _LABELS), dtype=np.int64)
    hu_sum = np.zeros(2)
    below, hazy = np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64)
    for row, box in enumerate(value_boxes(lungs, RIGHT)):
        if box is None:
            continue
        ends = _height_range(lungs, box, row + 1, affine)
        for block in _blocks(box, lungs):
            inside = lungs[block] == row + 1
            third = _thirds(_heights(block, affine), ends, inside)
            codes = third * _LABELS + label_map[block][inside]
            voxels[row] += np.bincount(codes, minlength=3 * _LABELS).reshape(3, _LABELS)
            values = hu[block][inside]
            hu_sum[row] += values.sum(dtype=np.float64)
            below[row] += np.count_nonzero(values < BELOW_HU)
            hazy[row] += np.count_nonzero((values >= HAZY_HU[0]) & (values <= HAZY_HU[1]))
    return LungCounts(voxels=voxels, hu_sum=hu_sum, below=below, hazy=hazy)


def _heights(block: tuple[slice, ...], affine: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Height of each voxel's centre in the patient; of length 1 along axes that do not rise."""
    steps = affine[2, :3]
    rises = _rises(affine)
    i, j, k = (
        np.arange(part.start, part.stop if rises[axis] else part.start + 1) * steps[axis]
        for axis, part in enumerate(block)
    )
    return np.asarray(i[:, None, None] + j[None, :, None] + k[None, None, :], dtype=np.float32)


def _height_range(
    lungs: Array, box: tuple[slice, ...], side: int, affine: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """From a lung's lowest place to its highest, in the heights of :func:`_heights`."""
    low, high = np.inf, -np.inf
    for block in _blocks(box, lungs):
        heights = _heights(block, affine)
        inside = lungs[block] == side
        flat = tuple(axis for axis in range(3) if heights.shape[axis] == 1 and inside.shape[axis] > 1)
        found = np.where(inside.any(axis=flat, keepdims=True), heights, np.nan)
        if not np.isnan(found).all():
            low, high = min(low, float(np.nanmin(found))), max(high, float(np.nanmax(found)))
    # Slices reach half a step beyond their centres; on an oblique grid the centres come as near to the ends as need be.
    half = float(np.abs(affine[2, :3]).max()) / 2 if _rises(affine).sum() == 1 else 0.0
    return low - half, high + half


def _rises(affine: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """The index axes along which height changes by more than the affine's last digits."""
    steps = np.abs(affine[2, :3])
    return np.asarray(steps > 1e-6 * steps.max(), dtype=np.bool_)


def _thirds(heights: npt.NDArray[np.float32], ends: tuple[float, float], inside: Array) -> npt.NDArray[np.int64]:
    share = (heights - ends[0]) / max(ends[1] - ends[0], 1e-6)
    # Rounded, so that a centre on the border falls the same way whatever the affine's last digits are.
    third = np.clip(np.floor(np.round(3 * share, 4)), 0, 2).astype(np.int8)
    return np.broadcast_to(third, inside.shape)[inside].astype(np.int64)


def _blocks(box: tuple[slice, ...], volume: Array) -> Iterator[tuple[slice, ...]]:
    """A box in pieces along the axis whose slices lie together in memory."""
    axis = int(np.argmax([abs(stride) for stride in volume.strides]))
    slice_voxels = max(1, np.prod([part.stop - part.start for other, part in enumerate(box) if other != axis]))
    step = max(1, int(_VOXELS_AT_ONCE // slice_voxels))
    for start in range(box[axis].start, box[axis].stop, step):
        part = slice(start, min(start + step, box[axis].stop))
        yield tuple(part if other == axis else box[other] for other in range(3))

"""What is counted of one class of a label map: voxels, HU, connected parts, slices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class ClassCounts:
    """Counts of one class.

    Attributes:
        voxels: How many.
        mean_hu: Mean of its voxels; None where it has none.
        std_hu: Their standard deviation.
        components: ``(voxels, first slice, last slice)`` of each connected part, the largest first; voxels that share
            a face, an edge or a corner are connected. Slices are indices along the slice axis, from 0.
    """

    voxels: int = 0
    mean_hu: float | None = None
    std_hu: float | None = None
    components: tuple[tuple[int, int, int], ...] = ()


def count_classes(label_map: Array, hu: Array, classes: Mapping[str, int], slice_axis: int) -> dict[str, ClassCounts]:
    """Count each class but the background, in its bounding box.

    Args:
        label_map: ``uint8 (X, Y, Z)``.
        hu: ``(X, Y, Z)``.
        classes: Class name to label value.
        slice_axis: The index axis of the slices.

    Returns:
        Class name to counts, in the order of the label values.
    """
    boxes = value_boxes(label_map, max(1, *classes.values()))
    foreground = sorted((value, name) for name, value in classes.items() if value != 0)
    return {name: _count(label_map, hu, value, boxes[value - 1], slice_axis) for value, name in foreground}


def value_boxes(label_map: Array, highest: int) -> list[tuple[slice, ...] | None]:
    """Find the bounding box of each value, in the order of memory: across it, each voxel is a cache miss.

    Args:
        label_map: Of any unsigned integers, ``(X, Y, Z)``, any order in memory.
        highest: The last value to look for.

    Returns:
        The box of each value from 1 on; None for those that are not there.
    """
    order = _memory_order(label_map)
    found = ndimage.find_objects(label_map.transpose(order), max_label=highest)
    back = [order.index(axis) for axis in range(label_map.ndim)]
    return [None if box is None else tuple(box[axis] for axis in back) for box in found]


def _memory_order(volume: Array) -> list[int]:
    return sorted(range(volume.ndim), key=lambda axis: -abs(volume.strides[axis]))


def slice_axis_of(affine: npt.NDArray[np.float64]) -> int:
    """Find the index axis that runs most along the patient.

    Args:
        affine: ``(4, 4)``, voxel to RAS+ millimetres.

    Returns:
        0, 1 or 2.
    """
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return int(np.argmax(np.abs(directions[2])))


def _count(label_map: Array, hu: Array, value: int, box: tuple[slice, ...] | None, slice_axis: int) -> ClassCounts:
    if box is None:
        return ClassCounts()
    mask = label_map[box] == value
    values = hu[box][mask]
    return ClassCounts(
        voxels=int(values.size),
        mean_hu=float(np.mean(values, dtype=np.float64)),
        std_hu=float(np.std(values, dtype=np.float64)),
        components=_components(mask, box[slice_axis].start, slice_axis),
    )


def _components(mask: Array, first_slice: int, slice_axis: int) -> tuple[tuple[int, int, int], ...]:
    # The labelled image (four bytes a voxel of the box), in the order of memory too, is gone when this returns.
    order = _memory_order(mask)
    labels, _ = ndimage.label(mask.transpose(order), structure=np.ones((3, 3, 3), dtype=bool))
    sizes = np.bincount(labels.ravel())[1:]
    ranges = [part[order.index(slice_axis)] for part in ndimage.find_objects(labels)]
    found = [
        (int(size), first_slice + part.start, first_slice + part.stop - 1)
        for size, part in zip(sizes, ranges, strict=True)
    ]
    return tuple(sorted(found, key=lambda component: (-component[0], component[1:])))

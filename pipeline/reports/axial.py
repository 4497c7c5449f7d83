"""All axial slices of a volume as small pictures, and what is marked in each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.reports.planes import Array, PlaneSize, encode_gray, encode_marks, plane_size
from pipeline.reports.volumes import PictureVolumes

Result = TypeVar("Result")

#: Bytes that the gray pictures of a volume may take: a third more as text in a page.
GRAY_BYTES = 8_000_000
#: Bytes that they may take together with what is marked: a page stays under 15 MB also where label maps are noise.
ALL_BYTES = 10_200_000
_LEAST_GRAY_BYTES = 1_500_000
_SAMPLED = 7
_SMALLEST_SCALE = 0.2
_VALUES = 256


@dataclass(frozen=True, kw_only=True)
class AxialStack:
    """The axial slices, in the order of the volume's own axis: index 0 is slice 0 of ``measurements.json``.

    Attributes:
        size: That they are shown in.
        grays: A JPEG each.
        marks: A PNG each, or None where nothing is marked.
        counts: ``int64 (N, 2, 256)``: voxels by slice, place (outside of the lungs, inside) and label value.
    """

    size: PlaneSize
    grays: list[bytes]
    marks: list[bytes | None]
    counts: npt.NDArray[np.int64]


def encode_axial(volumes: PictureVolumes, gray_bytes: int = GRAY_BYTES) -> AxialStack:
    """Encode the axial slices, several at a time; no copy of a whole volume is made.

    Args:
        volumes: HU, label map and lungs.
        gray_bytes: What the gray pictures may take together. The pictures are made smaller until they fit; the label
            map is not.

    Returns:
        The slices.
    """
    size = plane_size(volumes.hu.shape[1::-1], (volumes.spacing_mm[1], volumes.spacing_mm[0]))
    order = volumes.native_order
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        marked = list(pool.map(lambda place: _marks(volumes, place, size), order))
        room = ALL_BYTES - sum(len(picture) for picture, _ in marked if picture)
        grays = _grays(volumes, order, size, min(gray_bytes, max(_LEAST_GRAY_BYTES, room)), pool)
    return AxialStack(
        size=size,
        grays=grays,
        marks=[picture for picture, _ in marked],
        counts=np.stack([counts for _, counts in marked]),
    )


def _grays(
    volumes: PictureVolumes, order: range, size: PlaneSize, gray_bytes: int, pool: ThreadPoolExecutor
) -> list[bytes]:
    """Encode at the scale that a few slices say is right, and smaller where it was not."""

    def at(scale: float) -> Callable[[int], bytes]:
        return lambda place: encode_gray(volumes.hu[:, :, place].T, size, scale)

    sample = order[:: max(1, len(order) // _SAMPLED)]
    scale = 1.0
    if len(order) > _SAMPLED:
        scale = _fitting(scale, list(pool.map(at(scale), sample)), gray_bytes * len(sample) / len(order))
    while True:
        grays = list(pool.map(at(scale), order))
        if sum(map(len, grays)) <= 1.1 * gray_bytes or scale <= _SMALLEST_SCALE:
            return grays
        scale = _fitting(scale, grays, gray_bytes)


def _fitting(scale: float, pictures: Iterable[bytes], budget: float) -> float:
    """The scale at which pictures of this one would take no more than a budget; their bytes go with their pixels."""
    present = sum(map(len, pictures))
    return scale if present <= budget else max(_SMALLEST_SCALE, 0.97 * scale * float(np.sqrt(budget / present)))


def _marks(volumes: PictureVolumes, place: int, size: PlaneSize) -> tuple[bytes | None, npt.NDArray[np.int64]]:
    label_map, lungs = (_plane(volume, place) for volume in (volumes.label_map, volumes.lungs))
    return encode_marks(label_map, lungs, size), _count(label_map, lungs)


def _plane(volume: Array | None, place: int) -> Array | None:
    return None if volume is None else np.ascontiguousarray(volume[:, :, place].T)


def _count(label_map: Array | None, lungs: Array | None) -> npt.NDArray[np.int64]:
    counts = np.zeros((2, _VALUES), dtype=np.int64)
    if label_map is None:
        return counts
    if lungs is None or not lungs.any():
        counts[0] = np.bincount(label_map.ravel(), minlength=_VALUES)
        return counts
    inside = lungs != 0
    counts[1] = np.bincount(label_map[inside], minlength=_VALUES)
    counts[0] = np.bincount(label_map.ravel(), minlength=_VALUES) - counts[1]
    return counts

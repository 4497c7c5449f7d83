"""Lesions at a lung's border, found by a network, taken into the mask of that lung, which HU alone cannot tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from transforms.anatomy.morphology import Mask, depth_mm
from transforms.anatomy.sides import LEFT, RIGHT

REACH_MM = 20.0
"""What lies farther from the lung stays outside. Of 136 ml of lesions outside the masks of three synthetic chests, 4 ml
did."""

MOST_BEYOND = 0.5
"""A part with more than this share of its volume beyond the reach is another organ, or something found wrongly in one:
none of it joins."""

LEAST_CONTACT = 0.2
"""Share of a part's surface that must lie on the lung. On synthetic chests what was lung had 0.24 and more, what was
found wrongly in heart, liver and muscle mostly below 0.15."""


def with_border_lesions(lungs: NDArray[np.uint8], lesions: Mask, spacing_mm: Sequence[float]) -> NDArray[np.uint8]:
    """Adds to each lung the parts of lesions that lie at its border.

    A part is what of the lesions hangs together outside both lungs. It joins the lung that it shares most surface
    with, if that is enough of its surface and most of it is near.

    Args:
        lungs: `(X, Y, Z)`: 1 the patient's left lung, 2 the right, 0 elsewhere.
        lesions: `(X, Y, Z)`: lesions of the lung, inside it or not.
        spacing_mm: Along each axis.

    Returns:
        A label map like `lungs`; the same array where nothing is added.
    """
    # In the order of memory: across it, each voxel is a cache miss.
    order = sorted(range(3), key=lambda axis: -abs(lungs.strides[axis]))
    back = [order.index(axis) for axis in range(3)]
    spacing = [float(spacing_mm[axis]) for axis in order]
    there = lungs.transpose(order)
    outside = lesions.transpose(order) & (there == 0)
    found = ndimage.find_objects(outside.view(np.uint8))
    if not found:
        return lungs
    result = there.copy()
    parts, _ = ndimage.label(outside[found[0]], structure=np.ones((3, 3, 3), dtype=bool))
    for number, inner in enumerate(ndimage.find_objects(parts), start=1):
        box, margin = _around(found[0], inner, there.shape, spacing)
        own = np.pad(parts[inner] == number, margin)
        joining = _Part(own=own, lungs=there[box], spacing_mm=spacing).joining()
        if joining is not None:
            side, mask = joining
            result[box][mask] = side
    return result.transpose(back)


def _around(
    outer: tuple[slice, ...], inner: tuple[slice, ...], shape: tuple[int, ...], spacing_mm: Sequence[float]
) -> tuple[tuple[slice, ...], list[tuple[int, int]]]:
    """A part's box in the volume, and how much wider than the part it is at each end.

    A part that is smaller than the reach and touches the lung is in reach: a voxel more is enough for it.
    """
    sizes_mm = [(part.stop - part.start) * step for part, step in zip(inner, spacing_mm, strict=True)]
    reach_mm = 0.0 if np.hypot.reduce(sizes_mm) <= REACH_MM else REACH_MM
    box, margin = [], []
    for whole, part, step, size in zip(outer, inner, spacing_mm, shape, strict=True):
        width = 1 + int(np.ceil(reach_mm / step))
        first, last = whole.start + part.start, whole.start + part.stop
        low, high = min(width, first), min(width, size - last)
        box.append(slice(first - low, last + high))
        margin.append((low, high))
    return tuple(box), margin


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """One part outside the lungs in a box with its surroundings; arrays are `(X, Y, Z)`."""

    own: Mask
    lungs: NDArray[np.uint8]
    spacing_mm: Sequence[float]

    def joining(self) -> tuple[int, Mask] | None:
        """The lung that it belongs to, and what of it does; `None` where it belongs to none."""
        on_side, whole = self._contact_mm2()
        side = max(on_side, key=lambda lung: on_side[lung])
        if on_side[side] < LEAST_CONTACT * whole or on_side[side] == 0:
            return None
        near = self.own & (depth_mm(self.lungs != side, self.spacing_mm) <= REACH_MM)
        return (side, near) if near.sum() >= (1 - MOST_BEYOND) * self.own.sum() else None

    def _contact_mm2(self) -> tuple[dict[int, float], float]:
        """How much of the part's surface lies on each lung, and how large all of it is."""
        on_side, whole = {LEFT: 0.0, RIGHT: 0.0}, 0.0
        for axis, step in enumerate(self.spacing_mm):
            face_mm2 = float(np.prod(self.spacing_mm)) / step
            own, lungs = np.moveaxis(self.own, axis, 0), np.moveaxis(self.lungs, axis, 0)
            for part, beside, lung in ((own[:-1], own[1:], lungs[1:]), (own[1:], own[:-1], lungs[:-1])):
                surface = lung[part & ~beside]
                whole += surface.size * face_mm2
                for side in on_side:
                    on_side[side] += int(np.count_nonzero(surface == side)) * face_mm2
        return on_side, whole

"""The windpipe and the main bronchi on a coarse grid, followed slice by slice (after Hu and others, 2001)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import ndimage

from transforms.anatomy.morphology import HUArray, Mask
from transforms.anatomy.thresholds import AIR_HU

LUMEN_HU = -700.0
"""An airway's wall is as thin as a voxel is wide: mixed with air on both sides it is still above this."""

LEAST_MM2 = 25.0
"""Smallest cross-section that is followed: on a coarse grid a bronchus of 6 mm is one or two voxels."""

MOST_SEED_MM2 = 1000.0
"""Largest cross-section that may be the beginning of a windpipe: normal ones have up to 530 mm² (25 by 27 mm in men,
Breatnach 1984), widened ones more."""

GROWTH = 1.7
"""A slice's sections together are at most this times the median of those above: the carina is wider, a lung is much."""

STEADY_MM2 = 120.0
"""A median below this counts as this: a few voxels more of a narrow airway are no leak."""

MIN_LENGTH_MM = 25.0
"""A shorter run of round air sections is not an airway but the top of a lung."""

LUNG_MM2 = 2500.0
"""A slice with more air beside the airway shows the lungs: no windpipe begins below."""

ENTERED_SHARE = 0.5
"""A section with more air than this around it lies in the lung: what is beyond the hilum belongs to the lung."""

AROUND_MM = (5.0, 13.0)
"""Distances from a section between which its surroundings lie: outside the wall, inside the neighbouring organ."""

SEED_OFFSET_MM = 45.0
"""How far the windpipe lies from the body's middle at most where it is first seen."""


def airway_mask(hu: HUArray, air: Mask, middle: float, spacing_mm: Sequence[float]) -> Mask:
    """Finds the windpipe and the main bronchi as far as they are apart from the lungs.

    Args:
        hu: `(X, Y, Z)`, RAS+, not smoothed: smoothing loses the thin walls.
        air: Air inside the body, lungs and airways.
        middle: Index along x of the body's middle.
        spacing_mm: Along each axis.

    Returns:
        `(X, Y, Z)`, part of `air`.
    """
    airway = np.zeros_like(air)
    if not air.any():
        return airway
    tracker = _Tracker(hu, air, spacing_mm)
    for z in range(air.shape[2] - 1, -1, -1):
        beside_mm2 = (air[:, :, z] & ~airway[:, :, z]).sum() * spacing_mm[0] * spacing_mm[1]
        if airway.any() and beside_mm2 > LUNG_MM2:
            break
        for seed in tracker.seeds(z, airway[:, :, z], middle):
            run = tracker.follow(z, seed)
            if tracker.is_airway(run):
                for height, section in run.items():
                    airway[:, :, height] |= section
    # The lumen's rim is mixed with the wall and so not part of the lumen.
    rim = air & ~tracker.lumen
    return np.asarray(ndimage.binary_dilation(airway, mask=rim) | airway, dtype=bool)


class _Tracker:
    """Follows sections of a lumen downwards from slice to slice."""

    def __init__(self, hu: HUArray, air: Mask, spacing_mm: Sequence[float]) -> None:
        self.hu = hu
        self.air = air
        self.lumen = lumen = air & (hu < LUMEN_HU)
        self.spacing_mm = spacing_mm
        self.pixel_mm2 = spacing_mm[0] * spacing_mm[1]
        # An airway runs at most at about 45 degrees.
        self.steps = max(1, round(spacing_mm[2] / spacing_mm[0]))
        # Halfway between lung and air: where a wall is too thin to be seen, the lung is still denser than the lumen.
        self.strict_hu = (float(np.median(hu[lumen])) + AIR_HU) / 2 if lumen.any() else AIR_HU

    def seeds(self, z: int, known: Mask, middle: float) -> Iterator[Mask]:
        """Sections of one slice that may be an airway and are near the middle."""
        regions, _ = ndimage.label(self.lumen[:, :, z] & ~known)
        for number, box in enumerate(ndimage.find_objects(regions), start=1):
            offset_mm = abs((box[0].start + box[0].stop - 1) / 2 - middle) * self.spacing_mm[0]
            section = regions == number
            if offset_mm <= SEED_OFFSET_MM and LEAST_MM2 <= self._area_mm2(section) <= MOST_SEED_MM2:
                yield section

    def follow(self, z: int, seed: Mask) -> dict[int, Mask]:
        """The sections by their slice from a seed down to where they run into a lung or end."""
        run = {z: seed}
        areas_mm2 = [self._area_mm2(seed)]
        while z > 0:
            most_mm2 = GROWTH * max(STEADY_MM2, float(np.median(areas_mm2)))
            section = self._below(run[z], z - 1, most_mm2)
            if section is None:
                break
            z -= 1
            run[z] = section
            areas_mm2.append(self._area_mm2(section))
        return run

    def is_airway(self, run: dict[int, Mask]) -> bool:
        """Whether a run is long enough, and of free air."""
        if len(run) * self.spacing_mm[2] < MIN_LENGTH_MM:
            return False
        inside = np.concatenate([self.hu[:, :, z][section] for z, section in run.items()])
        return float(np.median(inside)) < self.strict_hu

    def _below(self, above: Mask, z: int, most_mm2: float) -> Mask | None:
        """The section of a slice that continues the one above it; `None` where there is none or too much."""
        x, y = self._around(above)
        reach = ndimage.binary_dilation(above[x, y], iterations=self.steps)
        for limit in (LUMEN_HU, self.strict_hu):
            part = self.lumen[x, y, z] & reach & (self.hu[x, y, z] < limit)
            if LEAST_MM2 <= self._area_mm2(part) <= most_mm2:
                section = np.zeros_like(above)
                section[x, y] = self._outside_lungs(part, self.air[x, y, z])
                return section if self._area_mm2(section) >= LEAST_MM2 else None
        return None

    def _around(self, section: Mask) -> tuple[slice, slice]:
        """The box of a section with its surroundings: the rest of the slice costs time only."""
        width = self.steps + round(AROUND_MM[1] / self.spacing_mm[0]) + 1
        x, y = (np.flatnonzero(section.any(axis=axis)) for axis in (1, 0))
        return slice(max(0, x[0] - width), x[-1] + width + 1), slice(max(0, y[0] - width), y[-1] + width + 1)

    def _outside_lungs(self, section: Mask, air: Mask) -> Mask:
        """The parts of a section that are not yet inside a lung."""
        regions, count = ndimage.label(section)
        outside = np.zeros_like(section)
        near, far = (max(1, round(distance / self.spacing_mm[0])) for distance in AROUND_MM)
        for number in range(1, count + 1):
            part = np.asarray(regions == number)
            wall = ndimage.binary_dilation(part, iterations=near)
            around = ndimage.binary_dilation(wall, iterations=max(1, far - near)) & ~wall
            if air[around].mean() <= ENTERED_SHARE:
                outside |= part
        return outside

    def _area_mm2(self, section: Mask) -> float:
        return float(section.sum()) * self.pixel_mm2

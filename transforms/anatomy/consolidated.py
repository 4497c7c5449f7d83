"""A large part of one lung without air, which no closing reaches: found by what the other lung looks like mirrored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from transforms.anatomy.morphology import Mask, bounding_box, closed, depth_mm, dilated, eroded, filled
from transforms.anatomy.sides import LEFT, RIGHT
from transforms.anatomy.thresholds import TISSUE_HU
from transforms.anatomy.tissue_field import Expectation, TissueField, grown_through

SHORT = 0.72
"""A lung is looked at when it has less than this share of what the other one lets expect. Hearts, raised diaphragms and
scoliosis take less from a lung."""

REST = 0.2
"""A lung of which less than this is left may as well be missing, or drowned: it is left alone."""

LEFT_TO_RIGHT = 0.88
"""Volume of a left lung by that of the right one."""

CORE_MM = 20.0
"""What lies this deep in the mirrored lung is the part's core, from which its HU are learnt."""

LEAST_CORE_ML = 40.0
"""A smaller core tells too little."""

CONSOLIDATION_HU = (22.0, 140.0)
"""Median of the core of a consolidation, without and with contrast medium; effusions are below, mostly near 10 HU."""

LATERAL = (0.4, 0.7)
"""Shares of half the chest's width from the middle beyond which there is no heart: behind, and everywhere."""

NECK_MM = 7.0
"""What hangs together with the core only by a neck thinner than twice this is another organ: stomach, heart, aorta."""

REGROWN_MM = 5.0
"""How far the part goes on beyond what the neck left of it."""

RIM_MM = 2.5
"""Where smoothed muscle runs into smoothed lung, looks decide late: this much is added. On six synthetic chests 0, 1.5
and 2.5 mm give a mean Dice of 0.957, 0.957 and 0.958 for the consolidated lung; the last misses and adds alike."""

MIDDLE = 0.3
"""Share of half the chest's width from the middle within which heart and vessels show what lung does not look like."""

MOST_WRAPPED = 0.25
"""Share of the core's rows with aerated lung of the same side farther out: lung wraps the dome of a raised diaphragm,
consolidation reaches the chest wall."""

CLOSING_MM = 6.0
"""Vessels and bronchi in the part are closed over."""

SURROUNDINGS_MM = 34.0
"""How far around the mirrored lung the surroundings are looked at."""


@dataclass(frozen=True, kw_only=True)
class AirlessPart:
    """Consolidated lung; the mask is `(X, Y, Z)`.

    Attributes:
        side: 1 the patient's left lung, 2 the right.
        mask: The part, with the vessels and bronchi in it.
    """

    side: int
    mask: Mask


def airless_part(
    hu: NDArray[np.float32], lungs: NDArray[np.uint8], body: Mask, middle: float, spacing_mm: Sequence[float]
) -> AirlessPart | None:
    """Finds the consolidated part of the lung that is much smaller than the other.

    A consolidation looks like muscle, heart or liver to any threshold. So the larger lung, mirrored at the middle of
    the body, says where lung is expected; the HU deep in there say what the consolidation looks like; and the
    surroundings of the mirrored lung say what it does not look like. Where it is most likely none (fluid, a raised
    diaphragm, a missing lung), nothing is found.

    Args:
        hu: `(X, Y, Z)`, RAS+, spacing about 2 mm.
        lungs: What was found of them: 1 the patient's left, 2 the right.
        body: The body.
        middle: Index along x of the body's middle.
        spacing_mm: Along each axis.
    """
    side = _short_side(lungs)
    if side is None:
        return None
    expected = _mirrored(lungs == LEFT + RIGHT - side, middle)
    box = bounding_box(expected | (lungs == side), SURROUNDINGS_MM, spacing_mm)
    if box is None:
        return None
    look = _Look(hu[box], lungs[box], body[box], side, expected[box], middle - box[0].start, spacing_mm)
    core = look.core()
    if core is None:
        return None
    mask = np.zeros_like(body)
    mask[box] = look.part(core)
    return AirlessPart(side=side, mask=mask)


def _short_side(lungs: NDArray[np.uint8]) -> int | None:
    sizes = np.bincount(lungs.ravel(), minlength=3)
    expected = {LEFT: sizes[RIGHT] * LEFT_TO_RIGHT, RIGHT: sizes[LEFT] / LEFT_TO_RIGHT}
    short = [side for side, size in expected.items() if REST * size < sizes[side] < SHORT * size]
    return short[0] if short else None


def _mirrored(lung: Mask, middle: float) -> Mask:
    """A lung on the other side of the middle."""
    index = np.rint(2 * middle - np.arange(lung.shape[0])).astype(int)
    inside = (index >= 0) & (index < lung.shape[0])
    mirrored = np.zeros_like(lung)
    mirrored[inside] = lung[index[inside]]
    return mirrored


class _Look:
    """One lung, what is expected of it and what is around it; arrays are `(X, Y, Z)`, RAS+."""

    def __init__(
        self,
        hu: NDArray[np.float32],
        lungs: NDArray[np.uint8],
        body: Mask,
        side: int,
        expected: Mask,
        middle: float,
        spacing_mm: Sequence[float],
    ) -> None:
        self.lung = lungs == side
        self.other = (lungs > 0) & ~self.lung
        self.expected = expected
        self.spacing_mm = spacing_mm
        self.outwards = 1 if side == RIGHT else -1
        self.across_mm = np.abs(np.arange(hu.shape[0]) - middle) * spacing_mm[0]
        self.air = body & (hu < TISSUE_HU)
        self.tissue = TissueField.of(hu, self.air, spacing_mm)
        self.body = body

    def core(self) -> Mask | None:
        """The middle of the part, aside of the heart; `None` where it is not consolidated lung."""
        core = (
            (depth_mm(self.expected, self.spacing_mm) >= CORE_MM)
            & self._aside_of_heart()
            & ~self.lung
            & self.tissue.certain
        )
        if core.sum() * np.prod(self.spacing_mm) / 1000 < LEAST_CORE_ML:
            return None
        if not CONSOLIDATION_HU[0] <= float(np.median(self.tissue.smooth_hu[core])) <= CONSOLIDATION_HU[1]:
            return None
        return None if self._wrapped(core) > MOST_WRAPPED else self.tissue.alike(core)

    def part(self, core: Mask) -> Mask:
        """All that hangs together with the core and looks like it, or like its place."""
        seams = self.tissue.seams()
        never = self.other | seams | ~self.body | self.tissue.bone_or_fat(core)
        found = grown_through(self.tissue, self._expectation(core), never & ~core & ~self.lung) & ~self.other
        whole = self._around_core(found, found & ~seams & ~self.air, core)
        whole |= dilated(whole, RIM_MM, self.spacing_mm) & ~never
        allowed = self.body & ~self.other & ~self.lung
        return np.asarray(filled(closed(whole, CLOSING_MM, self.spacing_mm)) & allowed, dtype=bool)

    def _expectation(self, core: Mask) -> Expectation:
        around = self.expected | self.lung
        return Expectation(
            core=core,
            known=core | self.lung,
            around=around,
            unclear=self.expected & ~self._aside_of_heart(),
            unlike=self._within(MIDDLE)[:, None, None] & ~around & self.tissue.certain,
        )

    def _around_core(self, found: Mask, seen: Mask, core: Mask) -> Mask:
        """What of all that was found hangs together with the core by more than a neck."""
        labels, count = ndimage.label(eroded(seen, NECK_MM, self.spacing_mm))
        sizes = np.bincount(labels[core], minlength=count + 1)
        sizes[0] = 0
        if not sizes.any():
            return core.copy()
        return dilated(labels == sizes.argmax(), NECK_MM + REGROWN_MM, self.spacing_mm) & found

    def _aside_of_heart(self) -> Mask:
        rows = np.flatnonzero(self.expected.any(axis=(0, 2)))
        behind = np.arange(self.expected.shape[1]) < (rows[0] + rows[-1]) / 2
        far, farther = (~self._within(share) for share in LATERAL)
        return np.asarray(farther[:, None, None] | (far[:, None] & behind)[:, :, None], dtype=bool)

    def _within(self, share: float) -> Mask:
        """The indices along x that are nearer to the middle than a share of the expected lung's reach."""
        half_width_mm = self.across_mm[self.expected.any(axis=(1, 2))].max()
        return np.asarray(self.across_mm <= share * half_width_mm, dtype=bool)

    def _wrapped(self, core: Mask) -> float:
        """Share of a core with aerated lung of the same side at its outer side."""
        aerated = (self.lung & self.air)[:: -self.outwards]
        outside = np.maximum.accumulate(aerated, axis=0)[:: -self.outwards]
        return float(outside[core].mean())

"""Whether volumes were cropped around their foreground, which gives its place away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.planning.cases import CaseFacts

FEWEST_CROPPED = 3
"""Cases that it takes to say so."""

CROPPED_WITHIN = 2
"""Voxels by which margins may differ in data that were cropped around their foreground."""

CROPPED_SHARE = 0.6
"""Share of the cases that must have the widest margin on each side; the others' scans may have ended before."""

EVEN_WITHIN_MM = 5.0
"""By which margins of the six sides may differ where lesions lie in the middle: slices are some millimetres thick."""

EVEN_SIDES = 5
"""Sides of each case that must have that margin; at one the scan may have ended."""


@dataclass(frozen=True, kw_only=True)
class Cropping:
    """How volumes were cropped around their foreground.

    Attributes:
        voxels: Typical margins along left-right, back-front, feet-head.
        margin_mm: The margin where it is the same on all sides of all cases, so that lesions lie in the middle; None
            where they do not.
    """

    voxels: tuple[int, int, int]
    margin_mm: float | None


def cropping_of(cases: Sequence[CaseFacts]) -> Cropping | None:
    """How volumes were cropped; `None` where they were not, or nothing can be said.

    Args:
        cases: What was looked at.
    """
    margins = np.array([case.margins for case in cases if case.margins])
    if len(margins) < FEWEST_CROPPED or not margins.any():
        return None
    widest = margins.max(axis=0)
    if ((margins >= widest - CROPPED_WITHIN).mean(axis=0) < CROPPED_SHARE).any():
        return None
    x, y, z = (int(voxels) for voxels in np.median(margins, axis=0)[:3])
    return Cropping(voxels=(x, y, z), margin_mm=_even(cases))


def _even(cases: Sequence[CaseFacts]) -> float | None:
    """The margin that all cases have on all sides, in millimetres."""
    margins = np.array([np.multiply(case.margins, 2 * case.spacing_mm) for case in cases if case.margins])
    middle = float(np.median(margins))
    even = np.abs(margins - middle) <= EVEN_WITHIN_MM
    if middle <= EVEN_WITHIN_MM or (even.sum(axis=1) < EVEN_SIDES).any():
        return None
    return float(round(np.median(margins[even])))

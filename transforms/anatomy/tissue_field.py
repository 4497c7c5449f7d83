"""Soft tissue by its looks: which voxels belong to the one of which a core is known, and which to its surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from transforms.anatomy.morphology import Mask, depth_mm

RANGE_HU = (-150.0, 250.0)
"""Soft tissue and what bounds it: fat below, contrast medium and bone above."""

STEP_HU = 4.0
"""Width of the bins in which HU are counted."""

SMOOTHING_MM = 2.0
"""Standard deviation of the Gaussian that quietens the noise."""

FAT_HU = -40.0
"""What is below is fat."""

BONE_ABOVE_HU = 150.0
"""What is this much brighter than the core is bone or a large vessel."""

NEAR_AIR_VOXELS = 2
"""Beside air, partial volume tells nothing."""

SEAM_MM = 10.0
"""Layers of fat up to this thickness are seams between organs, for instance around the heart."""

SEAM_HU = 28.0
"""How much darker a smoothed seam is than what it parts."""

FAR_MM = 22.0
"""Farther outside the expected shape a place speaks the more against the tissue the farther it is: two lungs differ so
much at their bases, and no more."""

FAR_STEP_MM = 3.0
"""Distance beyond that is worth one unit of log odds."""

SHELL_MM = (12.0, 40.0)
"""How far around the expected shape the surroundings are learnt from."""

OUTLIERS = 0.15
"""Share of voxels that look like neither, vessels among them."""

PLACE_MM = 10.0
"""A place this deep in the expected shape, or outside, is worth as much as one unit of log odds."""

MOST_PLACE = 1.0
"""The most that a place is worth: where tissues differ, they decide."""

TOGETHER = 6.0
"""How much a voxel's neighbourhood is worth at most."""

TOGETHER_MM = 3.0
"""Standard deviation of the Gaussian over the neighbourhood."""

ROUNDS = 6
"""How often neighbours are asked."""


@dataclass(frozen=True, kw_only=True)
class TissueField:
    """A volume as seen by the search for soft tissue; arrays are `(X, Y, Z)`.

    Attributes:
        hu: HU, in the range of soft tissue.
        smooth_hu: The same smoothed, air left out.
        certain: Where no air is near.
        spacing_mm: Along each axis.
    """

    hu: NDArray[np.float32]
    smooth_hu: NDArray[np.float32]
    certain: Mask
    spacing_mm: Sequence[float]

    @classmethod
    def of(cls, hu: NDArray[np.float32], air: Mask, spacing_mm: Sequence[float]) -> TissueField:
        """Looks at a volume.

        Args:
            hu: `(X, Y, Z)`.
            air: What holds air.
            spacing_mm: Along each axis.
        """
        certain = ~ndimage.binary_dilation(air, iterations=NEAR_AIR_VOXELS)
        clipped = np.clip(hu, *RANGE_HU).astype(np.float32, copy=False)
        share = blurred(certain.astype(np.float32), SMOOTHING_MM, spacing_mm)
        smooth = blurred(clipped * certain, SMOOTHING_MM, spacing_mm)
        smooth /= np.maximum(share, 1e-3)
        return cls(hu=clipped, smooth_hu=smooth, certain=certain, spacing_mm=spacing_mm)

    def alike(self, core: Mask) -> Mask:
        """The voxels of a core that look like most of it."""
        middle, spread = self.look_of(core)
        return np.asarray(core & (np.abs(self.smooth_hu - middle) < 2 * spread + 5), dtype=bool)

    def look_of(self, core: Mask) -> tuple[float, float]:
        """Median and robust standard deviation of the smoothed HU."""
        values = self.smooth_hu[core]
        middle = float(np.median(values))
        return middle, max(3.0, 1.48 * float(np.median(np.abs(values - middle))))

    def bone_or_fat(self, core: Mask) -> Mask:
        """What no consolidation is."""
        too_bright = min(self.look_of(core)[0] + BONE_ABOVE_HU, RANGE_HU[1] - 1)
        return ((self.smooth_hu < FAT_HU) & self.certain) | (self.hu > too_bright)

    def seams(self) -> Mask:
        """Thin layers of fat between organs: darker than what is on both sides."""
        size = tuple(2 * round(SEAM_MM / 2 / step) + 1 for step in self.spacing_mm)
        dips = ndimage.grey_closing(self.smooth_hu, size=size) - self.smooth_hu
        return np.asarray((dips > SEAM_HU) & self.certain, dtype=bool)

    def log_odds(self, core: Mask, surroundings: Mask) -> NDArray[np.float32]:
        """How much more each voxel looks like the core than like the surroundings; 0 beside air."""
        edges = np.arange(RANGE_HU[0], RANGE_HU[1] + STEP_HU, STEP_HU)
        centres = (edges[1:] + edges[:-1]) / 2
        middle, spread = self.look_of(core)
        inside = np.exp(-(((centres - middle) / spread) ** 2) / 2)
        outside = ndimage.gaussian_filter1d(np.histogram(self.smooth_hu[surroundings], edges)[0].astype(float), 1.5)
        even = OUTLIERS / len(centres)
        odds = [(1 - OUTLIERS) * part / max(part.sum(), 1e-9) + even for part in (inside, outside)]
        bin_of = np.clip(((self.smooth_hu - RANGE_HU[0]) / STEP_HU).astype(np.intp), 0, len(centres) - 1)
        looks = np.log(odds[0] / odds[1]).astype(np.float32)[bin_of]
        return np.where(self.certain, looks, np.float32(0))


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What is known of a tissue's place before looking; masks are `(X, Y, Z)`.

    Attributes:
        core: A part of the tissue, from which its look is learnt.
        known: What belongs to it for certain.
        around: Where the tissue is expected.
        unclear: The parts of that where other organs are as likely.
        unlike: A part of the other organs.
    """

    core: Mask
    known: Mask
    around: Mask
    unclear: Mask
    unlike: Mask


def grown_through(tissue: TissueField, expectation: Expectation, never: Mask) -> Mask:
    """Parts a volume in one tissue and the rest, by looks, place and neighbours.

    A mean-field approximation of a Markov random field as in tissue segmentation (Zhang, Brady and Smith 2001), its
    neighbourhood a Gaussian.

    Args:
        tissue: The volume.
        expectation: Where the tissue is to be expected.
        never: What does not belong to it for certain.
    """
    depth = _signed_depth_mm(expectation.around, tissue.spacing_mm)
    shell = (depth < -SHELL_MM[0]) & (depth > -SHELL_MM[1]) & tissue.certain & ~expectation.known
    place = np.clip(depth / PLACE_MM, -MOST_PLACE, MOST_PLACE)
    place[expectation.unclear] = 0
    place -= np.maximum(-depth - FAR_MM, 0) / FAR_STEP_MM
    odds = tissue.log_odds(expectation.core, shell | expectation.unlike) + place
    share = _sigmoid(odds)
    for _ in range(ROUNDS):
        share[never], share[expectation.known] = 0, 1
        share = _sigmoid(odds + TOGETHER * (2 * blurred(share, TOGETHER_MM, tissue.spacing_mm) - 1))
    return np.asarray(((share > 0.5) & ~never) | expectation.known, dtype=bool)


def _signed_depth_mm(mask: Mask, spacing_mm: Sequence[float]) -> NDArray[np.float32]:
    """Distance to the surface of a mask, negative outside."""
    return depth_mm(mask, spacing_mm) - depth_mm(~mask, spacing_mm)


def blurred(values: NDArray[np.float32], sigma_mm: float, spacing_mm: Sequence[float]) -> NDArray[np.float32]:
    """A Gaussian blur in millimetres."""
    sigma = [sigma_mm / spacing for spacing in spacing_mm]
    return np.asarray(ndimage.gaussian_filter(values, sigma, truncate=2.5), dtype=np.float32)


def _sigmoid(odds: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-odds)), dtype=np.float32)

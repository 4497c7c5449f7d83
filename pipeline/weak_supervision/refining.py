"""Regions of a volume refined to what in the lungs is dense enough for a lesion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from transforms.anatomy.morphology import bounding_box, dilated, eroded
from transforms.components import remove_small_components
from transforms.errors import SettingError

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class LesionRefinement:
    """What of a region is taken for a lesion.

    Attributes:
        density: Lowest and highest HU, after smoothing: ground glass is denser than aerated lung, nothing in a lung is
            denser than tissue but calcium and metal.
        smoothing_mm: Standard deviation of a Gaussian against noise.
        opening_mm: What a ball of this radius cannot enter is a vessel or noise; 0 keeps it.
        min_volume_ml: Smallest part that stays.

    Raises:
        SettingError: When a setting is out of range.
    """

    density: Sequence[float] = (-700.0, 150.0)
    smoothing_mm: float = 1.5
    opening_mm: float = 5.0
    min_volume_ml: float = 0.5

    def __post_init__(self) -> None:
        least = min(self.smoothing_mm, self.opening_mm, self.min_volume_ml)
        if len(self.density) != 2 or self.density[0] >= self.density[1] or least < 0:
            raise SettingError(
                "a setting of the refinement is out of range", where="refinement",
                found=f"density {list(self.density)}, least of the others {least:g}",
                expected="density: [low, high] in HU, and 0 or more",
            )  # fmt: skip

    def __call__(
        self, region: Mask, hu: NDArray[Any], lungs: NDArray[np.uint8], spacing_mm: Sequence[float]
    ) -> NDArray[np.uint8]:
        """Refines a region.

        Args:
            region: `(X, Y, Z)`, not changed.
            hu: `(X, Y, Z)`.
            lungs: `(X, Y, Z)`: 0 outside.
            spacing_mm: Along each axis.

        Returns:
            `(X, Y, Z)`: 1 for lesion.
        """
        found = np.zeros(region.shape, dtype=np.uint8)
        margin = 3 * self.smoothing_mm + 2 * self.opening_mm
        box = bounding_box(region & (lungs > 0), margin, spacing_mm)
        if box is None:
            return found
        # Vessels are told by the shape of all that is dense, not of what the region cuts out of it.
        dense = self._dense(hu[box], lungs[box] > 0, spacing_mm)
        if self.opening_mm:
            dense &= dilated(eroded(dense, self.opening_mm, spacing_mm), self.opening_mm, spacing_mm)
        found[box] = dense & region[box]
        remove_small_components(found, self.min_volume_ml * 1000 / float(np.prod(spacing_mm)))
        return found

    def _dense(self, hu: NDArray[Any], inside: Mask, spacing_mm: Sequence[float]) -> Mask:
        """What of the lungs is dense, after smoothing that takes in nothing of what is around them."""
        sigma = [self.smoothing_mm / spacing for spacing in spacing_mm]
        total, weight = (
            ndimage.gaussian_filter(values, sigma, truncate=3.0, mode="nearest")
            for values in (np.where(inside, hu, 0).astype(np.float32), inside.astype(np.float32))
        )
        smooth = total / np.maximum(weight, 1e-6)
        low, high = self.density
        return np.asarray(inside & (smooth >= low) & (smooth <= high))

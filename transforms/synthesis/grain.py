"""The scanner's noise of a CT, measured in its soft tissue and drawn anew: what is painted must not look painted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SLICES = 7
"""Slices of the volume that are looked at."""

TISSUE_HU = (-20.0, 120.0)
"""Soft tissue, fluid and blood, once smoothed."""

FEWEST_VOXELS = 500
"""Fewer voxels of soft tissue say nothing about the noise."""

TO_DEVIATION = 1.4826
"""From the median absolute deviation to the standard deviation of a normal distribution."""


@dataclass(frozen=True, kw_only=True)
class Grain:
    """Noise of a CT.

    Attributes:
        deviation_hu: Standard deviation.
        sigma_voxels: Of the Gaussian that gives white noise the same likeness of neighbours; 0 for white noise.
        axis: Index axis along the slices, which are independent of each other.
    """

    deviation_hu: float
    sigma_voxels: float
    axis: int

    @classmethod
    def of(cls, hu: NDArray[np.int16] | NDArray[np.float32], affine: NDArray[np.float64]) -> Grain:
        """The noise of a CT; none where no soft tissue is seen.

        Args:
            hu: `(X, Y, Z)` in HU.
            affine: Voxel indices to RAS+ millimetres.
        """
        axis = int(np.argmax(np.abs(affine[2, :3])))
        residuals, products = [], []
        for index in np.unique(np.linspace(0, hu.shape[axis] - 1, SLICES + 2).astype(int)[1:-1]):
            image = np.take(hu, index, axis=axis).astype(np.float32)
            smooth = ndimage.gaussian_filter(image, 2.0)
            flat = ndimage.binary_erosion((smooth > TISSUE_HU[0]) & (smooth < TISSUE_HU[1]), iterations=3)
            flat &= ndimage.gaussian_gradient_magnitude(smooth, 1.0) < 12.0
            rest = image - smooth
            residuals.append(rest[flat])
            products.append((rest[:-1] * rest[1:])[flat[:-1] & flat[1:]])
        rest, product = np.concatenate(residuals), np.concatenate(products)
        if len(rest) < FEWEST_VOXELS or len(product) < FEWEST_VOXELS:
            return cls(deviation_hu=0.0, sigma_voxels=0.0, axis=axis)
        deviation = TO_DEVIATION * float(np.median(np.abs(rest)))
        # The smoothing takes some of the likeness away: what is left is that of the noise above its scale.
        likeness = float(np.mean(product) / max(float(np.mean(rest**2)), 1e-6))
        sigma = float(np.sqrt(-1 / (4 * np.log(likeness)))) if 0.02 < likeness < 0.95 else 0.0
        return cls(deviation_hu=deviation, sigma_voxels=sigma, axis=axis)

    def draw(self, random: np.random.RandomState, shape: Sequence[int]) -> NDArray[np.float32]:
        """Noise of a shape, in HU."""
        white: NDArray[np.float32] = random.standard_normal(tuple(shape)).astype(np.float32)
        if self.sigma_voxels > 0:
            sigma = [0.0 if axis == self.axis else self.sigma_voxels for axis in range(3)]
            white = ndimage.gaussian_filter(white, sigma, mode="wrap")
        return np.asarray(white * np.float32(self.deviation_hu / max(float(white.std()), 1e-6)), dtype=np.float32)

"""Random changes of a patch's values: their ranges, as MONAI's transforms, and drawn first to be applied anywhere."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.transforms import (
    GaussianSmooth,
    RandAdjustContrastd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandScaleIntensityd,
    RandShiftIntensityd,
)

Step = Callable[[Mapping[Hashable, Any]], Mapping[Hashable, Any]]

_EPSILON = 1e-7  # of MONAI's AdjustContrast, against a patch of one value


@dataclass(frozen=True, kw_only=True)
class IntensityRanges:
    """How far the values of a patch change, and how often.

    Attributes:
        scale: Largest change by a factor, as a share.
        shift: Largest change by an offset.
        gamma: Least and largest exponent of the contrast.
        sigma: Least and largest standard deviation of a Gaussian blur along each axis, in voxels.
        noise: Largest standard deviation of Gaussian noise.
        probs: Shares of the patches that are scaled, shifted, changed in contrast, blurred, and made noisy.
    """

    scale: float = 0.15
    shift: float = 0.05
    gamma: tuple[float, float] = (0.8, 1.25)
    sigma: tuple[float, float] = (0.3, 1.0)
    noise: float = 0.03
    probs: tuple[float, float, float, float, float] = (0.3, 0.3, 0.2, 0.15, 0.3)

    def transforms(self, key: str) -> list[Step]:
        """MONAI's transforms of one key, which draw and apply in one step."""
        scale, shift, contrast, blur, noise = self.probs
        sigma = self.sigma
        return [
            RandScaleIntensityd(key, factors=self.scale, prob=scale),
            RandShiftIntensityd(key, offsets=self.shift, prob=shift),
            RandAdjustContrastd(key, gamma=self.gamma, prob=contrast),
            RandGaussianSmoothd(key, sigma_x=sigma, sigma_y=sigma, sigma_z=sigma, prob=blur),
            RandGaussianNoised(key, std=self.noise, prob=noise),
        ]

    def draw(self, random: np.random.RandomState) -> IntensityChanges:
        """What one patch gets of it, distributed as what :meth:`transforms` do."""
        scaled, shifted, contrasted, blurred, noisy = (random.uniform() < prob for prob in self.probs)
        return IntensityChanges(
            factor=1 + random.uniform(-self.scale, self.scale) if scaled else 1.0,
            offset=random.uniform(-self.shift, self.shift) if shifted else 0.0,
            gamma=random.uniform(*self.gamma) if contrasted else 1.0,
            sigma=tuple(random.uniform(*self.sigma, size=3)) if blurred else None,
            noise=random.uniform(0, self.noise) if noisy else 0.0,
            noise_seed=int(random.randint(2**31 - 1)),
        )


@dataclass(frozen=True, kw_only=True)
class IntensityChanges:
    """What was drawn for one patch.

    Attributes:
        factor: By which values are multiplied.
        offset: That is added then.
        gamma: Exponent of the contrast; the least and the largest value stay.
        sigma: Standard deviations of a Gaussian blur along the axes, in voxels; `None` for none.
        noise: Standard deviation of Gaussian noise.
        noise_seed: Of the noise; it differs between kinds of devices, as their random numbers do.
    """

    factor: float = 1.0
    offset: float = 0.0
    gamma: float = 1.0
    sigma: tuple[float, ...] | None = None
    noise: float = 0.0
    noise_seed: int = 0

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        """The changed patch `(C, *spatial)`, on its own device; the device is never waited for."""
        changed = image * self.factor + self.offset if (self.factor, self.offset) != (1.0, 0.0) else image
        if self.gamma != 1.0:
            low, high = changed.aminmax()
            span = high - low
            changed = ((changed - low) / (span + _EPSILON)).pow(self.gamma) * span + low
        if self.sigma is not None:
            changed = torch.as_tensor(GaussianSmooth(self.sigma[: image.ndim - 1])(changed))
        if self.noise > 0:
            generator = torch.Generator(image.device).manual_seed(self.noise_seed)
            noise = torch.randn(image.shape, generator=generator, device=image.device, dtype=image.dtype)
            changed = changed + noise * self.noise
        return changed

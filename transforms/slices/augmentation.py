"""Random changes of a slice that leave its diagnosis as it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from monai.transforms import (
    RandAdjustContrastd,
    RandAffined,
    RandCoarseDropoutd,
    RandFlipd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandScaleCropd,
    RandScaleIntensityd,
    RandShiftIntensityd,
    Resized,
)

Step = Callable[[Mapping[Hashable, Any]], Mapping[Hashable, Any]]


def slice_augmentation(
    image_size: Sequence[int],
    *,
    crop_scale: float = 1.0,
    flip: bool = True,
    rotation_degrees: float = 10.0,
    shear: float = 0.05,
    translation: float = 0.05,
    intensity: float = 1.0,
    intensity_shift: float = 0.0,
    holes: int = 0,
    affine_prob: float = 0.7,
) -> list[Step]:
    """The random transforms of a slice under `image`, which is `(C, H, W)` and 0 to 1.

    Args:
        image_size: Rows and columns that come out.
        crop_scale: Smallest share of the area that a random crop keeps; 1 keeps all.
        flip: Whether slices are mirrored from left to right.
        rotation_degrees: Largest rotation either way.
        shear: Largest shear either way.
        translation: Largest shift, as a share of the sides.
        intensity: Strength of what happens to brightness, contrast, sharpness and noise; 0 leaves it out.
        intensity_shift: Largest change of brightness alone, as a share of the range from black to white.
        holes: Squares of an eighth of the side that are set to 0 (cutout, DeVries and Taylor 2017).
        affine_prob: Share of the slices that are rotated, sheared and shifted.
    """
    rows, columns = image_size
    steps: list[Step] = []
    if crop_scale < 1:
        steps.append(RandScaleCropd("image", roi_scale=math.sqrt(crop_scale), max_roi_scale=1.0, random_size=True))
    steps.append(Resized("image", list(image_size), mode="bilinear"))
    if flip:
        steps.append(RandFlipd("image", prob=0.5, spatial_axis=1))
    if affine_prob and (rotation_degrees or shear or translation):
        steps.append(
            RandAffined(
                "image", prob=affine_prob, rotate_range=math.radians(rotation_degrees), shear_range=(shear, shear),
                translate_range=(translation * rows, translation * columns), mode="bilinear", padding_mode="border",
                cache_grid=False,
            )
        )  # fmt: skip
    if intensity:
        steps += _intensity(intensity)
    if intensity_shift:
        steps.append(RandShiftIntensityd("image", offsets=intensity_shift, prob=1.0))
    if holes:
        steps.append(
            RandCoarseDropoutd("image", holes=holes, spatial_size=(rows // 8, columns // 8), fill_value=0, prob=0.5)
        )
    return steps


def _intensity(strength: float) -> list[Step]:
    gamma, sigma = 1 + 0.3 * strength, (0.3, 0.3 + strength)
    return [
        RandScaleIntensityd("image", factors=0.2 * strength, prob=0.5),
        RandShiftIntensityd("image", offsets=0.1 * strength, prob=0.5),
        RandAdjustContrastd("image", gamma=(1 / gamma, gamma), prob=0.3),
        RandGaussianSmoothd("image", sigma_x=sigma, sigma_y=sigma, prob=0.2),
        RandGaussianNoised("image", std=0.03 * strength, prob=0.3),
    ]

"""Where a training patch lies in its volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transforms.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class PatchPlacement:
    """Draws the centre of a patch, so that a share of the patches shows each class.

    Attributes:
        foreground: Share of patches that are placed around a voxel of a class above 0, all classes alike.
        jitter: How far such a voxel may lie off the patch's centre, as a share of half the patch.

    Raises:
        SettingError: When one is not between 0 and 1.
    """

    foreground: float = 0.7
    jitter: float = 0.6

    def __post_init__(self) -> None:
        for name in ("foreground", "jitter"):
            share = getattr(self, name)
            if not 0 <= share <= 1:
                raise SettingError("a share is out of range", where=name, found=share, expected="0 to 1")

    def draw(
        self,
        random: np.random.RandomState,
        shape: Sequence[int],
        patch_size: Sequence[int],
        indices: Sequence[Sequence[int]] | None = None,
    ) -> NDArray[np.float64]:
        """A centre in voxels; the patch sticks out of the volume only where it is larger.

        Args:
            random: What is drawn from.
            shape: Of the volume.
            patch_size: Of the patch.
            indices: Flat indices of voxels of each class, as `ClassesToIndices` finds them.
        """
        half = np.asarray(patch_size) / 2
        present = [np.asarray(places) for places in (indices or [])[1:] if len(places)]
        if present and random.uniform() < self.foreground:
            places = present[random.randint(len(present))]
            index = int(places[random.randint(len(places))])
            voxel = np.array(np.unravel_index(index, tuple(shape)), dtype=np.float64)
            # A slab is as thin as its middle slice, which is the one that is learned: no jitter along it.
            centre = voxel + self.jitter * np.maximum(half - 1.5, 0) * random.uniform(-1, 1, 3)
        else:
            centre = random.uniform(0, 1, 3) * (np.asarray(shape) - 1)
        low = np.minimum(half, np.asarray(shape) / 2) - 0.5
        inside: NDArray[np.float64] = np.clip(centre, low, np.asarray(shape) - 1 - low)
        return inside


def on_voxels(centre: NDArray[np.float64], patch_size: Sequence[int]) -> NDArray[np.float64]:
    """The nearest centre whose patch, left straight, is a crop: nothing is interpolated."""
    half = np.asarray(patch_size) / 2
    return np.floor(centre - half + 1) + half - 0.5


def on_slices(centre: NDArray[np.float64], patch_size: Sequence[int]) -> NDArray[np.float64]:
    """The nearest centre whose slices are slices of the volume."""
    return np.array([*centre[:2], on_voxels(centre, patch_size)[2]])

"""Which lesions were found: connected components of a prediction against those of its reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from transforms.components import TOUCHING
from transforms.errors import SettingError

Mask = npt.NDArray[np.bool_]

LESION_OVERLAP = 0.0
"""One common voxel is enough, as in ISLES 2022 (Hernandez Petzsche et al., Scientific Data, 2022)."""


@dataclass(frozen=True, kw_only=True)
class LesionCounts:
    """Lesions of one class, of one case or summed over many.

    Attributes:
        truth: Lesions of the reference.
        found: Those that the prediction covers.
        pred: Lesions of the prediction.
        right: Those that the reference covers.
    """

    truth: int = 0
    found: int = 0
    pred: int = 0
    right: int = 0

    @property
    def sensitivity(self) -> float:
        """Share of the reference's lesions that were found; without any 1 when none was predicted, else 0."""
        return self.found / self.truth if self.truth else float(self.pred == 0)

    @property
    def precision(self) -> float:
        """Share of the predicted lesions that are right; without any 1 when there are none to find, else 0."""
        return self.right / self.pred if self.pred else float(self.truth == 0)

    @property
    def f1(self) -> float:
        """The harmonic mean of sensitivity and precision; 0 where both are."""
        total = self.sensitivity + self.precision
        return 2 * self.sensitivity * self.precision / total if total else 0.0


def count_lesions(pred: Mask, truth: Mask, *, overlap: float = LESION_OVERLAP, min_voxels: float = 0) -> LesionCounts:
    """Counts lesions, and those that the other mask covers.

    A lesion is a connected component (voxels that share a face, an edge or a corner). It counts as covered when the
    share `overlap` of its voxels, and at least one voxel, lies in the other mask; one lesion may cover several.

    Args:
        pred: `(X, Y, Z)`.
        truth: Likewise.
        overlap: Share of a lesion's voxels, 0 to 1; with 0 a single voxel is enough.
        min_voxels: Smaller lesions of either mask are not counted.

    Raises:
        SettingError: When `overlap` is no such share.
    """
    if not 0 <= overlap <= 1:
        raise SettingError("the share of a lesion is out of range", where="lesion_overlap", found=overlap,
                           expected="0 to 1")  # fmt: skip
    truths, found = _covered(truth, pred, overlap, min_voxels)
    preds, right = _covered(pred, truth, overlap, min_voxels)
    return LesionCounts(truth=truths, found=found, pred=preds, right=right)


def _covered(mask: Mask, by: Mask, overlap: float, min_voxels: float) -> tuple[int, int]:
    """How many components there are, and how many of them the other mask covers."""
    components: npt.NDArray[Any]
    components, count = ndimage.label(mask, structure=TOUCHING)
    sizes = np.bincount(components.ravel(), minlength=count + 1)[1:]
    common = np.bincount(components[by], minlength=count + 1)[1:]
    counted = sizes >= min_voxels
    covered = counted & (common > 0) & (common >= overlap * sizes)
    return int(counted.sum()), int(covered.sum())

"""The body of the patient in a coarse volume: without table, clothes and the air around."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from transforms.anatomy.morphology import HUArray, Mask, label_slices, opened_in_slices, quieted
from transforms.anatomy.thresholds import PADDING_HU, TISSUE_HU

OPENING_MM = 6.0
"""Things thinner than twice this are no body: table tops, tubes, clothes."""

PART_OF_LARGEST = 0.25
"""A separate part is body too when it has this share of the largest: the other leg stays, an arm at the side goes."""

CUT_LUNG_HU = (-930.0, -500.0)
"""Mean of air that reaches the edge of the image and yet is lung, cut by a small field of view."""

FACED_SHARE = 0.5
"""Share of a cut lung's voxels that have tissue both before and behind them; foam under the patient has none behind."""


def body_mask(hu: HUArray, spacing_mm: Sequence[float]) -> Mask:
    """Finds the body with all that it encloses.

    Args:
        hu: `(X, Y, Z)` in HU, RAS+, on a coarse grid (about 3 to 5 mm).
        spacing_mm: Along each axis.

    Returns:
        `(X, Y, Z)`; all false where there is no tissue.
    """
    return enclosed_body(hu, quieted(hu, spacing_mm), spacing_mm)


def enclosed_body(hu: HUArray, quiet: NDArray[np.float32], spacing_mm: Sequence[float]) -> Mask:
    """:func:`body_mask` for a volume that has been quieted before."""
    tissue = _main_parts(quiet > TISSUE_HU)
    filled = ~_outside(tissue, quiet, hu < PADDING_HU)
    return _main_parts(opened_in_slices(filled, OPENING_MM, spacing_mm))


def _main_parts(mask: Mask) -> Mask:
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= PART_OF_LARGEST * sizes.max())[labels], dtype=bool) & mask


def _outside(tissue: Mask, quiet: NDArray[np.float32], padding: Mask) -> Mask:
    """What is not tissue and, within its axial slice, reaches the edge of the image or of the field of view."""
    regions, count = label_slices(~tissue & ~padding)
    edge = padding & ~tissue
    edge[[0, -1]] = edge[:, [0, -1]] = True
    edge = ndimage.binary_dilation(edge, structure=np.ones((3, 3, 1), dtype=bool)) if padding.any() else edge
    reaches = np.zeros(count + 1, dtype=bool)
    reaches[regions[edge]] = True
    reaches[0] = False
    cut_lung = _cut_lungs(reaches[regions], tissue, quiet)
    return np.asarray((reaches[regions] & ~cut_lung) | (padding & ~tissue), dtype=bool)


def _cut_lungs(open_air: Mask, tissue: Mask, quiet: NDArray[np.float32]) -> Mask:
    """Open air that is lung: as dense as lung and between tissue before and behind."""
    labels, count = ndimage.label(open_air)
    index = np.arange(1, count + 1)
    before = np.maximum.accumulate(tissue[:, ::-1], axis=1)[:, ::-1]
    behind = np.maximum.accumulate(tissue, axis=1)
    means = np.asarray(ndimage.mean(quiet, labels, index), dtype=np.float64)
    faced = np.asarray(ndimage.mean(before & behind, labels, index), dtype=np.float64)
    is_lung = np.zeros(count + 1, dtype=bool)
    is_lung[1:] = (means > CUT_LUNG_HU[0]) & (means < CUT_LUNG_HU[1]) & (faced > FACED_SHARE)
    return np.asarray(is_lung[labels], dtype=bool)

"""Left and right lung in a coarse chest CT, from Hounsfield units alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from transforms.anatomy.airways import airway_mask
from transforms.anatomy.body import enclosed_body
from transforms.anatomy.dense import with_dense_parts
from transforms.anatomy.morphology import HUArray, Mask, bounding_box, depth_mm, quieted
from transforms.anatomy.sides import split_sides
from transforms.anatomy.thresholds import GAS_HU, MIN_BESIDE_GAS_ML, MIN_LUNG_DEPTH_MM, MIN_LUNG_ML, TISSUE_HU


@dataclass(frozen=True, kw_only=True)
class CoarseLungs:
    """The lungs on a coarse grid and what was found on the way; arrays are `(X, Y, Z)`, RAS+.

    Attributes:
        sides: 1 the patient's left lung, 2 the right, with vessels and most dense lesions; 0 elsewhere.
        aerated: The parts of both that hold air.
        airway: Trachea and main bronchi.
        body: The patient.
        middle: Index along x of the body's middle.
    """

    sides: NDArray[np.uint8]
    aerated: Mask
    airway: Mask
    body: Mask
    middle: float


def lung_masks(hu: HUArray, spacing_mm: Sequence[float]) -> NDArray[np.uint8]:
    """Finds both lungs, with the vessels and most dense lesions in them.

    The steps are the classic ones (threshold, airways off, sides parted, closed; Hu, Hoffman and Reinhardt 2001,
    Armato and Sensakovic 2004), on a coarse grid: meant for a region of interest and for coarse figures.

    Args:
        hu: `(X, Y, Z)` in HU, RAS+ (the patient's left is at low x), on a coarse grid (about 3 to 5 mm).
        spacing_mm: Along each axis.

    Returns:
        `(X, Y, Z)`: 1 the patient's left lung, 2 the right, 0 elsewhere; all zero where there are no lungs.
    """
    return coarse_lungs(hu, spacing_mm).sides


def coarse_lungs(hu: HUArray, spacing_mm: Sequence[float]) -> CoarseLungs:
    """:func:`lung_masks` with the masks that led to it.

    Args:
        hu: See :func:`lung_masks`.
        spacing_mm: Along each axis.
    """
    quiet = quieted(hu, spacing_mm)
    body = enclosed_body(hu, quiet, spacing_mm)
    air = body & (quiet < TISSUE_HU)
    middle = _middle(body, air)
    airway, aerated = np.zeros_like(body), np.zeros_like(body)
    sides = np.zeros(hu.shape, dtype=np.uint8)
    box = bounding_box(body, 0.0, spacing_mm)
    if box is not None:
        inner = middle - box[0].start
        airway[box] = airway_mask(hu[box], air[box], inner, spacing_mm)
        aerated[box] = _without_gas_and_specks(air[box] & ~airway[box], hu[box], spacing_mm)
        parted = split_sides(aerated[box], inner, spacing_mm)
        sides[box] = with_dense_parts(parted, body[box], spacing_mm)
        sides[airway] = 0
    return CoarseLungs(sides=sides, aerated=aerated, airway=airway, body=body, middle=middle)


def _middle(body: Mask, air: Mask) -> float:
    """Index along x of the body's middle at the height of the air in it."""
    heights = air.any(axis=(0, 1))
    if not heights.any():
        return float(body.shape[0]) / 2
    columns = np.asarray(body[:, :, heights].any(axis=1))
    first = np.argmax(columns, axis=0)
    last = columns.shape[0] - 1 - np.argmax(columns[::-1], axis=0)
    middles: list[float] = ((first + last) / 2).tolist()
    return median(middles)


def _without_gas_and_specks(air: Mask, hu: HUArray, spacing_mm: Sequence[float]) -> Mask:
    """Parts that are large, wide and dense enough for lung: no gut, no sinuses, no gap between arm and chest."""
    labels, count = ndimage.label(air)
    voxel_ml = float(np.prod(spacing_mm)) / 1000
    sizes_ml = np.bincount(labels.ravel(), minlength=count + 1) * voxel_ml
    keep = np.zeros(count + 1, dtype=bool)
    for part, box in enumerate(ndimage.find_objects(labels), start=1):
        if sizes_ml[part] < MIN_LUNG_ML:
            continue
        # One voxel more on each side, but none beyond the volume: a lung that is cut by its edge goes on there.
        around = tuple(slice(max(0, side.start - 1), side.stop + 1) for side in box)
        depth = depth_mm(labels[around] == part, spacing_mm)
        if depth.max() < MIN_LUNG_DEPTH_MM:
            continue
        core = depth >= 0.5 * depth.max()
        # Opened, as noise makes single voxels of gas as dense as lung.
        lung = ndimage.binary_opening((depth >= MIN_LUNG_DEPTH_MM) & (hu[around] > GAS_HU))
        keep[part] = np.median(hu[around][core]) > GAS_HU or lung.sum() * voxel_ml >= MIN_BESIDE_GAS_ML
    return np.asarray(keep[labels], dtype=bool)

"""Morphology in millimetres on coarse anisotropic grids, by distance transforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name that its own pages use
from numpy.typing import NDArray
from scipy import ndimage

from transforms.anatomy.thresholds import MASK_RANGE_HU, SMOOTHING_MM

Mask = NDArray[np.bool_]

HUArray: TypeAlias = NDArray[np.int16] | NDArray[np.float32]
"""A coarse volume `(X, Y, Z)` in HU."""


def quieted(hu: HUArray, spacing_mm: Sequence[float]) -> NDArray[np.float32]:
    """The volume clipped to what matters and smoothed, so that one threshold works for every kernel and dose.

    Args:
        hu: `(X, Y, Z)`.
        spacing_mm: Along each axis.
    """
    clipped = np.clip(hu, *MASK_RANGE_HU).astype(np.float32, copy=False)
    sigma = [SMOOTHING_MM / spacing for spacing in spacing_mm]
    return np.asarray(ndimage.gaussian_filter(clipped, sigma, truncate=2.0, mode="nearest"), dtype=np.float32)


def label_slices(mask: Mask) -> tuple[NDArray[np.signedinteger], int]:
    """Connected regions of each axial slice `(X, Y)` by itself, numbered through the volume `(X, Y, Z)`."""
    structure = np.zeros((3, 3, 3), dtype=bool)
    structure[:, 1, 1] = structure[1, :, 1] = True
    labels, count = ndimage.label(mask, structure=structure)
    return labels, int(count)


def depth_mm(mask: Mask, spacing_mm: Sequence[float]) -> NDArray[np.float32]:
    """Distance of each voxel of a mask to the nearest voxel outside it, 0 outside; exact (Maurer and others 2003).

    ITK's takes a fifth of the time of SciPy's on two cores, and half of its work.

    Args:
        mask: Any shape; where nothing is outside, the distances are larger than any volume.
        spacing_mm: Along each axis.
    """
    outside = sitk.GetImageFromArray(np.logical_not(mask, order="C").view(np.uint8))
    outside.SetSpacing([float(spacing) for spacing in reversed(spacing_mm)])
    signed = sitk.SignedMaurerDistanceMap(outside, squaredDistance=False, useImageSpacing=True)
    distances: NDArray[np.float32] = sitk.GetArrayFromImage(signed)
    return np.maximum(distances, 0, out=distances)


def dilated(mask: Mask, radius_mm: float, spacing_mm: Sequence[float]) -> Mask:
    """Everything within a distance of a mask."""
    if not mask.any():
        return mask.copy()
    return np.asarray(depth_mm(~mask, spacing_mm) <= radius_mm, dtype=bool)


def eroded(mask: Mask, radius_mm: float, spacing_mm: Sequence[float]) -> Mask:
    """What of a mask is farther than a distance from its outside; beyond the volume counts as more of the same."""
    if mask.all():
        return mask.copy()
    return np.asarray(depth_mm(mask, spacing_mm) > radius_mm, dtype=bool)


def closed(mask: Mask, radius_mm: float, spacing_mm: Sequence[float]) -> Mask:
    """A mask with the gaps that a ball of the radius cannot enter filled."""
    box = bounding_box(mask, radius_mm, spacing_mm)
    if box is None:
        return mask.copy()
    result = mask.copy()
    # Beyond the volume is unknown, not outside: repeating the edge lets a lung run out of the volume undented.
    reach = [int(np.ceil(radius_mm / spacing)) + 1 for spacing in spacing_mm]
    padded = np.pad(mask[box], [(width, width) for width in reach], mode="edge")
    inner = tuple(slice(width, -width) for width in reach)
    result[box] |= eroded(dilated(padded, radius_mm, spacing_mm), radius_mm, spacing_mm)[inner]
    return result


def filled(mask: Mask) -> Mask:
    """A mask with its holes: what has no way to the edge of the volume. By labels, which is faster than SciPy's own."""
    labels, count = ndimage.label(~mask)
    edge = np.concatenate([labels.take(end, axis).ravel() for axis in range(3) for end in (0, -1)])
    enclosed = np.ones(count + 1, dtype=bool)
    enclosed[edge] = False
    enclosed[0] = False
    return np.asarray(mask | enclosed[labels], dtype=bool)


def opened_in_slices(mask: Mask, radius_mm: float, spacing_mm: Sequence[float]) -> Mask:
    """What of each axial slice a disk of the radius can enter; thick slices do not matter to it."""
    reach = [int(np.ceil(radius_mm / spacing)) for spacing in spacing_mm[:2]]
    x, y = np.ogrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1]
    disk = (np.hypot(x * spacing_mm[0], y * spacing_mm[1]) <= radius_mm)[:, :, None]
    # The body runs on beyond the edge of the image.
    core = ndimage.binary_erosion(mask, structure=disk, border_value=1)
    return np.asarray(ndimage.binary_dilation(core, structure=disk), dtype=bool)


def bounding_box(mask: Mask, margin_mm: float, spacing_mm: Sequence[float]) -> tuple[slice, slice, slice] | None:
    """The box of a mask with a margin, within the volume; `None` when the mask is empty."""
    found = ndimage.find_objects(mask.astype(np.uint8))
    if not found:
        return None
    widths = [int(np.ceil(margin_mm / spacing)) for spacing in spacing_mm]
    x, y, z = (
        slice(max(0, part.start - width), min(size, part.stop + width))
        for part, width, size in zip(found[0], widths, mask.shape, strict=True)
    )
    return x, y, z

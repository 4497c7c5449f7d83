"""The lungs of a case on the native grid: found from HU, with the lesions at their border that the network found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.data.utils import affine_to_spacing

from transforms.anatomy import native_lungs, with_border_lesions
from transforms.grids import restore_mask

Array = npt.NDArray[Any]
#: Brings a coarse mask ``(1, X, Y, Z)`` with its affine to the native affine and shape.
MaskRestorer = Callable[
    [torch.Tensor, npt.NDArray[np.float64], npt.NDArray[np.float64], tuple[int, int, int]], torch.Tensor
]

_AFFINE_TOLERANCE_MM = 1e-3


def lungs_of_case(
    coarse: torch.Tensor | None, hu: Array, affine: npt.NDArray[np.float64], restore: MaskRestorer | None
) -> Array | None:
    """Find the lungs on the native grid.

    Args:
        coarse: Lung mask ``(1, X, Y, Z)`` with its own affine: says whether there are lungs; taken as it is where it
            is on the native grid.
        hu: The native volume in HU, ``(X, Y, Z)``.
        affine: ``float64 (4, 4)`` voxel to RAS+ millimetres.
        restore: Brings a coarse mask to the native grid; by default the lungs are found there anew, and the coarse mask
            is interpolated only where that fails.

    Returns:
        ``uint8 (X, Y, Z)``, 1 left and 2 right; None where there are no lungs.
    """
    if coarse is None or not bool(coarse.any()):
        return None
    x, y, z = hu.shape
    coarse_affine = np.asarray(coarse.affine, dtype=np.float64)  # type: ignore[attr-defined]
    if tuple(coarse.shape[1:]) == (x, y, z) and same_affine(coarse_affine, affine):
        return _uint8(coarse)
    if restore is None:
        lungs = native_lungs(hu, affine)
        if lungs.any():
            return lungs
    return _uint8((restore or restore_mask)(coarse, coarse_affine, affine, (x, y, z)))


def with_lesions(
    lungs: Array | None,
    label_map: Array,
    affine: npt.NDArray[np.float64],
    classes: Mapping[str, int],
    lung_lesions: Collection[str],
) -> Array | None:
    """Take lesions at the lungs' border into their masks: no HU tell consolidation at the pleura from the chest wall.

    Args:
        lungs: ``uint8 (X, Y, Z)``, 1 left and 2 right; None where no lungs were found.
        label_map: ``uint8 (X, Y, Z)``.
        affine: ``float64 (4, 4)`` voxel to RAS+ millimetres.
        classes: Class name to label value.
        lung_lesions: Names of the classes that belong to the lung; names that are no class here count for nothing, so
            that classes of another bundle do not become lung unasked.

    Returns:
        The lungs, as they are or a larger copy.
    """
    values = [classes[name] for name in lung_lesions if classes.get(name, 0) != 0]
    if lungs is None or not values:
        return lungs
    lesions = label_map == values[0]
    for value in values[1:]:
        lesions |= label_map == value
    return with_border_lesions(lungs, lesions, affine_to_spacing(affine).tolist())


def same_affine(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> bool:
    """Tell whether two affines agree to a thousandth of a millimetre."""
    return bool(np.allclose(one, other, rtol=0.0, atol=_AFFINE_TOLERANCE_MM))


def _uint8(mask: torch.Tensor) -> Array:
    array: Array = mask.detach().cpu().numpy()[0].astype(np.uint8, copy=False)
    return array

"""One picture of a case: three slices through the place of most lesion, and a legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, Literal

import nibabel as nib
import numpy as np
import numpy.typing as npt
from monai.data.utils import affine_to_spacing

from pipeline.export.drawing import Panel, compose
from pipeline.export.files import replacing
from pipeline.export.thumbnail import with_thumbnail

Array = npt.NDArray[Any]
View = Literal["axial", "coronal", "sagittal"]

LUNG_WINDOW = (-1350.0, 150.0)
SOFT_TISSUE_WINDOW = (-160.0, 240.0)

#: Axes in the order of a radiologist's picture: columns run to the patient's left, rows to the back or the feet.
_PICTURE_AXES = ("L", "P", "I")
#: The axis that a view looks along, and the letters at its left, right, upper and lower edge.
_VIEWS: dict[View, tuple[int, str]] = {"axial": (2, "RLAP"), "coronal": (1, "RLHF"), "sagittal": (0, "APHF")}


def write_preview(
    path: str | PathLike[str],
    hu: Array,
    label_map: Array,
    affine: npt.ArrayLike,
    classes: Mapping[str, int],
    *,
    lungs: Array | None = None,
    hu_window: tuple[float, float] | None = None,
) -> None:
    """Draw an axial, a coronal and a sagittal slice with the label map's outlines, and a legend, as one PNG.

    Each view shows the slice with most lesion; without lesions the slice with most lung, and without lungs the middle.
    The patient's right is at the picture's left, front and head are up. A grid that is oblique is shown along its own
    axes, the letters name the nearest directions.

    Args:
        path: The PNG to write.
        hu: The native volume in HU, ``(X, Y, Z)``.
        label_map: ``uint8 (X, Y, Z)``.
        affine: ``(4, 4)`` voxel to RAS+ millimetres.
        classes: Class name to label value; the background (0) is not drawn.
        lungs: ``uint8 (X, Y, Z)``, 1 left and 2 right, outlined thinly; None where no lungs were found.
        hu_window: Lowest and highest HU shown. By default a lung window (width 1500, centre -600), or a soft-tissue
            window (width 400, centre 40) where there are no lungs.

    Raises:
        OutputError: When the file cannot be written.
    """
    matrix = np.asarray(affine, dtype=np.float64)
    volumes = _Volumes(
        hu=to_picture_axes(hu, matrix),
        label_map=to_picture_axes(label_map, matrix),
        lungs=None if lungs is None or not lungs.any() else to_picture_axes(lungs, matrix),
        spacing_mm=picture_spacing(matrix),
    )
    window = hu_window or (SOFT_TISSUE_WINDOW if volumes.lungs is None else LUNG_WINDOW)
    place = place_of_most(volumes.hu.shape, (volumes.label_map, volumes.lungs))
    panels = [_panel(volumes, view, place, window) for view in _VIEWS]
    voxel_ml = abs(float(np.linalg.det(matrix[:3, :3]))) / 1000.0
    counts = _class_voxels(label_map, classes)
    legend = {name: (value, counts[name] * voxel_ml) for name, value in classes.items() if value != 0}
    caption = f"HU {window[0]:.0f} to {window[1]:.0f}"
    picture, panels_box = compose(panels, legend, caption)
    with replacing(path) as temporary:
        picture.save(temporary, format="PNG", pnginfo=with_thumbnail(picture, panels_box))


def to_picture_axes(volume: Array, affine: npt.NDArray[np.float64]) -> Array:
    """Reorder a volume's axes so that they run, as nearly as they can, to the patient's left, back and feet.

    Args:
        volume: ``(X, Y, Z)``.
        affine: ``(4, 4)`` voxel to RAS+ millimetres.

    Returns:
        A view of the same memory.
    """
    view: Array = nib.apply_orientation(volume, picture_orientation(affine))
    return view


@dataclass(frozen=True, kw_only=True)
class _Volumes:
    """Volumes along the picture's axes (left, back, feet)."""

    hu: Array
    label_map: Array
    lungs: Array | None
    spacing_mm: tuple[float, ...]


def picture_orientation(affine: npt.NDArray[np.float64]) -> Array:
    """Tell how a volume's axes become those of a picture.

    Args:
        affine: ``(4, 4)`` voxel to RAS+ millimetres.

    Returns:
        ``(3, 2)``, nibabel's orientation: for each axis the picture's axis, and 1 or, where it is turned around, -1.
    """
    present = nib.io_orientation(affine)
    transform: Array = nib.orientations.ornt_transform(present, nib.orientations.axcodes2ornt(_PICTURE_AXES))
    return transform


def picture_spacing(affine: npt.NDArray[np.float64]) -> tuple[float, ...]:
    """Give the spacing along the picture's axes (left, back, feet), in millimetres."""
    spacing = affine_to_spacing(affine)
    order = np.argsort(picture_orientation(affine)[:, 0])
    return tuple(float(spacing[axis]) for axis in order)


def _panel(volumes: _Volumes, view: View, place: Sequence[int], window: tuple[float, float]) -> Panel:
    axis, letters = _VIEWS[view]
    cut = tuple(place[axis] if other == axis else slice(None) for other in range(3))
    columns, rows = (other for other in range(3) if other != axis)
    return Panel(
        gray=_to_gray(volumes.hu[cut].T, window),
        label_map=volumes.label_map[cut].T,
        lungs=None if volumes.lungs is None else volumes.lungs[cut].T != 0,
        pixel_mm=(volumes.spacing_mm[rows], volumes.spacing_mm[columns]),
        letters=letters,
    )


def place_of_most(shape: Sequence[int], masks: Sequence[Array | None]) -> tuple[int, ...]:
    """Find, for each axis, the slice to show.

    Args:
        shape: Of the volume.
        masks: Of that shape, or None; the first one that is not empty decides.

    Returns:
        The slice that holds most of it along each axis; the middle ones where all are empty.
    """
    for mask in masks:
        if mask is not None:
            profiles = _voxels_in_slices(mask)
            if profiles[0].any():
                return tuple(int(np.argmax(profile)) for profile in profiles)
    return tuple(length // 2 for length in shape)


def _voxels_in_slices(mask: Array) -> list[npt.NDArray[np.int64]]:
    """Count the voxels that are not 0 in each slice across each of the three axes."""
    # Planes in the order of the memory: along another axis each voxel would be a jump.
    outer = int(np.argmax(np.abs(mask.strides)))
    inner = [axis for axis in range(3) if axis != outer]
    profiles = [np.zeros(length, dtype=np.int64) for length in mask.shape]
    for index, plane in enumerate(np.moveaxis(mask, outer, 0)):
        found = plane != 0
        profiles[outer][index] = np.count_nonzero(found)
        if profiles[outer][index]:
            profiles[inner[0]] += np.count_nonzero(found, axis=1)
            profiles[inner[1]] += np.count_nonzero(found, axis=0)
    return profiles


def _to_gray(hu: Array, window: tuple[float, float]) -> npt.NDArray[np.uint8]:
    low, high = window
    scaled = (hu.astype(np.float32) - low) * (255.0 / (high - low))
    gray: npt.NDArray[np.uint8] = np.clip(scaled, 0.0, 255.0).astype(np.uint8)
    return gray


def _class_voxels(label_map: Array, classes: Mapping[str, int]) -> dict[str, int]:
    # Planes in the order of the memory, as above.
    planes = np.moveaxis(label_map, int(np.argmax(np.abs(label_map.strides))), 0)
    counts = np.sum([np.bincount(plane.ravel(order="K"), minlength=256) for plane in planes], axis=0)
    return {name: int(counts[value]) for name, value in classes.items()}

"""Volumes as a radiologist's pictures show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from pipeline.export.preview import picture_orientation, picture_spacing, place_of_most, to_picture_axes

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class PictureVolumes:
    """Volumes whose axes run, as nearly as they can, to the patient's left, back and feet; views, no copies.

    Attributes:
        hu: ``(X, Y, Z)``.
        label_map: ``uint8 (X, Y, Z)``; None where nothing is marked.
        lungs: ``uint8 (X, Y, Z)``, 1 left and 2 right; None where none were found.
        spacing_mm: Along these axes.
        affine: ``float64 (4, 4)`` of the volume's own axes.
    """

    hu: Array
    label_map: Array | None
    lungs: Array | None
    spacing_mm: tuple[float, ...]
    affine: npt.NDArray[np.float64]

    @classmethod
    def of(
        cls, hu: Array, affine: npt.NDArray[np.float64], label_map: Array | None = None, lungs: Array | None = None
    ) -> PictureVolumes:
        """Turn volumes on their own grid.

        Args:
            hu: ``(X, Y, Z)``.
            affine: ``(4, 4)`` voxel to RAS+ millimetres.
            label_map: Of the same shape.
            lungs: Of the same shape.
        """
        return cls(
            hu=to_picture_axes(hu, affine),
            label_map=None if label_map is None else to_picture_axes(label_map, affine),
            lungs=None if lungs is None or not lungs.any() else to_picture_axes(lungs, affine),
            spacing_mm=picture_spacing(affine),
            affine=affine,
        )

    @property
    def slices(self) -> int:
        """How many axial slices there are."""
        return int(self.hu.shape[2])

    @property
    def native_order(self) -> range:
        """Places along the last axis, from head to feet, in the order of the volume's own axis."""
        return range(self.slices)[:: -1 if self.headwards == 1 else 1]

    @property
    def headwards(self) -> int:
        """1 where a higher index of the volume's own axis is nearer to the head, else -1."""
        return 1 if self._turns[self._axis, 1] == -1 else -1

    @property
    def heights_mm(self) -> list[float] | None:
        """Height in the patient of each slice, in their own order; None where it differs within a slice."""
        rises = self.affine[2, :3]
        others = [abs(step) for axis, step in enumerate(rises) if axis != self._axis]
        if max(others) > 1e-3 * abs(rises[self._axis]):
            return None
        return [float(self.affine[2, 3] + rises[self._axis] * index) for index in range(self.slices)]

    @property
    def oblique_degrees(self) -> float:
        """The largest angle between an axis of the volume and the patient's nearest one."""
        directions = self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)
        nearest = [abs(directions[int(self._along[axis]), axis]) for axis in range(3)]
        return float(np.degrees(np.arccos(np.clip(min(nearest), 0.0, 1.0))))

    def place_of_most(self) -> Sequence[int]:
        """For each axis the slice with most lesion, else with most lung, else the middle one."""
        return place_of_most(self.hu.shape, [self.label_map, self.lungs])

    @cached_property
    def _turns(self) -> Array:
        return picture_orientation(self.affine)

    @cached_property
    def _axis(self) -> int:
        """The volume's own axis of its axial slices."""
        return int(np.flatnonzero(self._turns[:, 0] == 2)[0])

    @property
    def _along(self) -> Array:
        orientation: Array = nib.io_orientation(self.affine)[:, 0]
        return orientation

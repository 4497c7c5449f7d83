"""What a phantom is asked to be: seed, voxel grid, lesions and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from transforms.errors import SettingError

LesionName = Literal["ground_glass", "consolidation", "pleural_effusion"]
LESION_LABELS: dict[LesionName, int] = {"ground_glass": 1, "consolidation": 2, "pleural_effusion": 3}
"""The value of each lesion in the truth mask; background is 0."""

FIELD_OF_VIEW_MM = (380.0, 380.0, 310.0)
"""Extent of the volume when no shape is given: the chest, its table and some air."""

CENTRE_MM = (0.0, -12.0, -6.0)
"""World point (RAS+) in the middle of every volume: behind the sternum, below the carina."""

_OBLIQUE_AXIS = np.array([0.6, 0.35, 0.72]) / np.linalg.norm([0.6, 0.35, 0.72])
_AXIS_CODES = ("LR", "PA", "SI")


@dataclass(frozen=True, kw_only=True)
class PhantomSpec:
    """One synthetic chest CT; the same values give the same arrays, bit for bit.

    The patient depends on `seed` alone: another grid, noise or set of lesions shows the same anatomy.

    Raises:
        SettingError: a value is out of its range.
    """

    seed: int = 0
    """Chooses the patient: body, organs, lesions, noise level and scanner."""

    shape: tuple[int, int, int] | None = None
    """Voxels (X, Y, Z); None covers the whole chest at the given spacing."""

    spacing_mm: tuple[float, float, float] = (0.74, 0.74, 2.5)
    """Voxel spacing (X, Y, Z) in millimetres."""

    lesions: Sequence[LesionName] = get_args(LesionName)
    """Which lesions the patient has; empty for a healthy chest."""

    severity: float = 0.5
    """How much of the lungs the lesions take, 0 (traces) to 1 (most of both lungs)."""

    noise: float = 1.0
    """Factor on the patient's own noise level; 0 for none."""

    oblique_degrees: float = 0.0
    """Rotation of the voxel grid against the patient about an axis that is none of the grid's."""

    orientation: str = "LPS"
    """Where the voxel axes point, as three letters of L/R, P/A and S/I in this order."""

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise _bad("seed", self.seed, "0 or more")
        if self.shape is not None and (len(self.shape) != 3 or min(self.shape) < 1):
            raise _bad("shape", self.shape, "three numbers of voxels, each at least 1")
        if len(self.spacing_mm) != 3 or not all(0.2 <= s <= 50 for s in self.spacing_mm):
            raise _bad("spacing_mm", self.spacing_mm, "three spacings between 0.2 and 50 mm")
        if unknown := set(self.lesions) - set(LESION_LABELS):
            raise _bad("lesions", sorted(unknown), f"some of {', '.join(LESION_LABELS)}")
        if not 0 <= self.severity <= 1:
            raise _bad("severity", self.severity, "0 to 1")
        if not 0 <= self.noise <= 10:
            raise _bad("noise", self.noise, "0 to 10")
        if len(self.orientation) != 3 or any(self.orientation[axis] not in _AXIS_CODES[axis] for axis in range(3)):
            raise _bad("orientation", self.orientation, "three letters of L/R, P/A and S/I, such as LPS or RAS")

    @property
    def grid_shape(self) -> tuple[int, int, int]:
        """Voxels (X, Y, Z), also where the spec leaves them open."""
        if self.shape is not None:
            return self.shape
        x, y, z = (max(1, round(mm / s)) for mm, s in zip(FIELD_OF_VIEW_MM, self.spacing_mm, strict=True))
        return x, y, z

    @property
    def affine(self) -> NDArray[np.float64]:
        """Voxel indices to world millimetres (RAS+), (4, 4); the volume's middle is at `CENTRE_MM`."""
        signs = [1.0 if code in "RAS" else -1.0 for code in self.orientation]
        turn = Rotation.from_rotvec(np.deg2rad(self.oblique_degrees) * _OBLIQUE_AXIS).as_matrix()
        affine = np.eye(4)
        affine[:3, :3] = turn @ np.diag(np.array(signs) * self.spacing_mm)
        affine[:3, 3] = np.array(CENTRE_MM) - affine[:3, :3] @ ((np.array(self.grid_shape) - 1) / 2)
        return affine


def _bad(name: str, found: object, expected: str) -> SettingError:
    return SettingError(f"the phantom's {name} cannot be used", found=found, expected=expected)

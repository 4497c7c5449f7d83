"""Affine and elastic deformation as one displacement: its limits, and how it is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transforms.errors import SettingError

LARGEST_MAGNITUDE = 0.4
"""Largest displacement of a B-spline control point, in control spacings, that cannot fold (Choi and Lee 2000)."""

LARGEST_SHEAR = 0.45
"""Below 0.5 a shear of all axes along all others leaves a volume a volume: its matrix is diagonally dominant."""


@dataclass(frozen=True, kw_only=True)
class DeformationRanges:
    """How far a deformation may go. Every parameter is drawn uniformly between minus and plus its range.

    Whatever is drawn, the deformation is one to one: nothing folds and nothing is mirrored.

    Attributes:
        rotation_degrees: About the x, y and z axis of the volume.
        scale: Relative change of size along each axis, on a logarithmic scale: 0.2 is from 1/1.2 to 1.2 times.
        shear: Tangent of the shear angle between axes.
        translation_mm: Along the x, y and z axis, beside the place that a patch has anyway.
        elastic_mm: Displacement of the control points of the elastic field.
        elastic_spacing_mm: Distance of the control points.
        in_plane: Deforms axial slices only, each slice of a slab alike: for 2.5D.

    Raises:
        SettingError: When a range is negative or so wide that the deformation could fold.

    Example:
        >>> DeformationRanges(elastic_mm=20, elastic_spacing_mm=40)
        Traceback (most recent call last):
            ...
        transforms.errors.SettingError: elastic_mm: the elastic field could fold (found 20 mm with control points every
        40 mm; expected at most 16 mm). Set the control points further apart, or move them less.
    """

    rotation_degrees: tuple[float, float, float] = (15.0, 15.0, 15.0)
    scale: float = 0.2
    shear: float = 0.05
    translation_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    elastic_mm: float = 6.0
    elastic_spacing_mm: float = 40.0
    in_plane: bool = False

    def __post_init__(self) -> None:
        for name in ("rotation_degrees", "translation_mm"):
            _check(name, getattr(self, name), count=3)
        for name in ("scale", "shear", "elastic_mm", "elastic_spacing_mm"):
            _check(name, [getattr(self, name)], count=1)
        if self.shear > LARGEST_SHEAR:
            raise SettingError(
                "the shear could fold the volume", where="shear", found=self.shear, expected=f"at most {LARGEST_SHEAR}"
            )
        largest = LARGEST_MAGNITUDE * self.elastic_spacing_mm
        if self.elastic_mm > largest:
            raise SettingError(
                "the elastic field could fold",
                where="elastic_mm",
                found=f"{self.elastic_mm:g} mm with control points every {self.elastic_spacing_mm:g} mm",
                expected=f"at most {largest:g} mm",
                remedy="Set the control points further apart, or move them less",
            )

    @classmethod
    def of(cls, settings: DeformationRanges | Mapping[str, Any]) -> DeformationRanges:
        """The ranges of a configuration.

        Raises:
            SettingError: When a key is unknown, or see above.
        """
        if isinstance(settings, DeformationRanges):
            return settings
        known = [field.name for field in fields(cls)]
        for name in settings:
            if name not in known:
                raise SettingError(
                    "a deformation has no such setting", where="deformation", found=name, expected=", ".join(known)
                )
        return cls(**settings)


def _check(name: str, values: Sequence[float], *, count: int) -> None:
    if len(values) != count or not all(np.isfinite(value) and value >= 0 for value in values):
        raise SettingError(
            "a range of deformation cannot be used",
            where=name,
            found=list(values),
            expected=f"{count} number{'s' * (count > 1)}, none below 0",
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Deformation:
    """One drawn deformation of a patch.

    A voxel of the patch, `x` millimetres off its centre, is sampled `matrix @ (x + u(x)) + translation_mm` off the
    sampled centre, `u` being the elastic field. The field comes first: then its limit alone decides whether it folds,
    whatever the matrix does.

    Attributes:
        matrix: `(3, 3)`.
        translation_mm: `(3,)`.
        control_mm: `(3, I, J, K)` displacement of the control points of a uniform cubic B-spline around the centre, or
            `None`. An axis with one point is not deformed along: all its planes are displaced alike.
        control_spacing_mm: Distance of the control points.
    """

    matrix: NDArray[np.float64]
    translation_mm: NDArray[np.float64]
    control_mm: NDArray[np.float64] | None
    control_spacing_mm: float

    @classmethod
    def identity(cls) -> Deformation:
        """The deformation that leaves everything where it is."""
        return cls(matrix=np.eye(3), translation_mm=np.zeros(3), control_mm=None, control_spacing_mm=1.0)

    @property
    def is_identity(self) -> bool:
        """Whether nothing moves."""
        return self.control_mm is None and not self.translation_mm.any() and np.array_equal(self.matrix, np.eye(3))


def draw_deformation(
    random: np.random.RandomState, ranges: DeformationRanges, extent_mm: Sequence[float]
) -> Deformation:
    """Draws a deformation for a patch of an extent."""
    in_plane = ranges.in_plane
    angles = np.deg2rad(ranges.rotation_degrees) * random.uniform(-1, 1, 3)
    scales = np.exp(np.log1p(ranges.scale) * (random.uniform(-1, 1) + 0.3 * random.uniform(-1, 1, 3)) / 1.3)
    shear = np.eye(3)
    shear[~np.eye(3, dtype=bool)] = ranges.shear * random.uniform(-1, 1, 6)
    translation = np.asarray(ranges.translation_mm) * random.uniform(-1, 1, 3)
    if in_plane:
        angles[:2], scales[2], translation[2] = 0, 1, 0
        shear[2, :2] = shear[:2, 2] = 0
    return Deformation(
        matrix=_rotation(angles) @ np.diag(scales) @ shear,
        translation_mm=translation,
        control_mm=_draw_control(random, ranges, extent_mm) if ranges.elastic_mm > 0 else None,
        control_spacing_mm=ranges.elastic_spacing_mm,
    )


def _draw_control(
    random: np.random.RandomState, ranges: DeformationRanges, extent_mm: Sequence[float]
) -> NDArray[np.float64]:
    # Two points beyond either end, so that the spline is complete over the whole patch.
    counts = [int(np.ceil(extent / ranges.elastic_spacing_mm)) + 4 for extent in extent_mm]
    if ranges.in_plane:
        counts[2] = 1
    control: NDArray[np.float64] = ranges.elastic_mm * random.uniform(-1, 1, (3, *counts))
    if ranges.in_plane:
        control[2] = 0
    return control


def _rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        turn = np.eye(3)
        one, two = (axis + 1) % 3, (axis + 2) % 3
        turn[one, one] = turn[two, two] = np.cos(angle)
        turn[one, two], turn[two, one] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix

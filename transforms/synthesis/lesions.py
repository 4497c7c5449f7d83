"""What is painted: the lesions of one patient, and the ranges that they are drawn from."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from transforms.errors import SettingError

Kind = Literal["ground_glass", "consolidation"]
Vector = tuple[float, float, float]

DEFAULT_CLASSES: Mapping[str, int] = {"ground_glass": 1, "consolidation": 2, "pleural_effusion": 3}
"""The values of the label maps that the shipped weights know."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Opacity:
    """One irregular ellipsoid of ground glass or consolidation; millimetres, RAS+.

    Attributes:
        kind: Which of the two.
        side: The lung that it keeps to: 1 the patient's left, 2 the right.
        centre: Of the ellipsoid.
        half_axes: Of the ellipsoid.
        rotation: `(3, 3)`, from the patient's axes to the ellipsoid's.
        reach_mm: How deep under the pleura it reaches at its middle; infinite for one that takes no notice of it.
        density: Share of the air that tissue or fluid has taken the place of, 0 to 1.
        tissue_hu: HU of what has taken its place.
    """

    kind: Kind
    side: int
    centre: Vector
    half_axes: Vector
    rotation: NDArray[np.float64]
    reach_mm: float
    density: float
    tissue_hu: float


@dataclass(frozen=True, kw_only=True)
class Effusion:
    """Free fluid of one side: a layer along the dependent pleura that thins out upwards and to the head.

    Attributes:
        side: 1 the patient's left, 2 the right.
        thickness_mm: Of the layer where it is thickest.
        rise: How far against gravity it reaches, as a share of the lung's extent along it.
        height: How far towards the head it reaches, as a share of the lung's height.
        fluid_hu: HU of the fluid.
    """

    side: int
    thickness_mm: float
    rise: float
    height: float
    fluid_hu: float


@dataclass(frozen=True, kw_only=True)
class LesionPlan:
    """All lesions of one patient, and the seed of their textures and noise."""

    opacities: tuple[Opacity, ...] = ()
    effusions: tuple[Effusion, ...] = ()
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class LesionRanges:
    """What lesions are drawn from; each pair is a smallest and a largest value.

    Attributes:
        ground_glass: Share of patients that have some.
        consolidation: Share of patients that have some.
        pleural_effusion: Share of patients that have some.
        severity: Of a patient: 0 few and small lesions, 1 many and large ones.
        radius_mm: Half axes of the smallest opacity, and of the largest at severity 1.
        reach_mm: How deep under the pleura a peripheral opacity reaches.
        peripheral: Share of opacities that keep to the pleura.
        cores: Share of ground glass with a consolidated core.
        ground_glass_density: Share of the air that ground glass takes.
        consolidation_density: Share of the air that consolidation takes.
        tissue_hu: Of what opacities are filled with.
        thickness_mm: Of a layer of fluid.
        fluid_hu: Of effusions.
        gravity: Where fluid and much of the disease settle, RAS+: to the back of a patient who lies on it.

    Raises:
        SettingError: When a share is not between 0 and 1, a pair is not in order, or gravity has no direction.
    """

    ground_glass: float = 0.75
    consolidation: float = 0.65
    pleural_effusion: float = 0.5
    severity: tuple[float, float] = (0.1, 1.0)
    radius_mm: tuple[float, float] = (7.0, 45.0)
    reach_mm: tuple[float, float] = (8.0, 36.0)
    peripheral: float = 0.7
    cores: float = 0.35
    ground_glass_density: tuple[float, float] = (0.2, 0.5)
    consolidation_density: tuple[float, float] = (0.92, 1.0)
    tissue_hu: tuple[float, float] = (15.0, 60.0)
    thickness_mm: tuple[float, float] = (9.0, 60.0)
    fluid_hu: tuple[float, float] = (-2.0, 25.0)
    gravity: Vector = (0.0, -1.0, 0.0)

    def __post_init__(self) -> None:
        for name in ("ground_glass", "consolidation", "pleural_effusion", "peripheral", "cores"):
            _check(name, (0.0, getattr(self, name), 1.0), "0 to 1")
        for name in ("severity", "ground_glass_density", "consolidation_density"):
            _check(name, (0.0, *getattr(self, name), 1.0), "two shares of 0 to 1, in order")
        for name in ("radius_mm", "reach_mm", "thickness_mm"):
            _check(name, (1.0, *getattr(self, name)), "two lengths of 1 mm or more, in order")
        for name in ("tissue_hu", "fluid_hu"):
            _check(name, getattr(self, name), "two HU, in order")
        if len(self.gravity) != 3 or not np.linalg.norm(self.gravity) > 0:
            raise SettingError("gravity has no direction", where="gravity", found=self.gravity, expected="x, y, z")

    @classmethod
    def of(cls, settings: LesionRanges | Mapping[str, Any] | None) -> LesionRanges:
        """The ranges of a config's mapping; the default ones for `None`.

        Raises:
            SettingError: For a setting that there is not.
        """
        if isinstance(settings, LesionRanges):
            return settings
        given: dict[str, Any] = dict(settings or {})
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(given) - known):
            raise SettingError(
                "the lesions have no such setting", found=", ".join(unknown), expected=", ".join(sorted(known))
            )
        tuples: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
        }
        return cls(**tuples)


def _check(name: str, values: tuple[float, ...], expected: str) -> None:
    if any(not low <= high for low, high in itertools.pairwise(values)):
        raise SettingError("a range of the lesions cannot be used", where=name, found=values, expected=expected)

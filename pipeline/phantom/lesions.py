"""Ground glass, consolidation and pleural effusion, as fields on the coarse lattice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from pipeline.phantom.patient import SmoothNoise
from pipeline.phantom.shapes import FAR_MM, Field
from pipeline.phantom.vessels import Points


@dataclass(frozen=True, kw_only=True)
class Patch:
    """One irregular ellipsoid of diseased lung, mm."""

    centre: tuple[float, float, float]
    half_axes: tuple[float, float, float]
    rotation: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Effusion:
    """Fluid behind one lung: how thick it is at the back, and how far it reaches to the front and up, mm."""

    thickness: float
    front: float
    top: float


def draw_patches(
    rng: np.random.Generator,
    inside: NDArray[np.float64],
    depth: NDArray[np.float64],
    count: int,
    size: tuple[float, float],
) -> list[Patch]:
    """Draw patches, mostly near the pleura, at the back and at the base.

    Args:
        rng: Where they come from.
        inside: Points in the lungs, (N, 3) mm in the reference body.
        depth: How deep under the pleura each of them is, mm.
        count: How many patches.
        size: Smallest and largest half axis, mm.
    """
    weight = np.exp(-depth / 9.0) * np.exp(-inside[:, 1] / 45.0) * np.exp(-inside[:, 2] / 75.0)
    patches = []
    for index in rng.choice(len(inside), size=count, p=weight / weight.sum()):
        radius = rng.uniform(*size)
        flatness = rng.uniform(0.55, 0.9), rng.uniform(0.75, 1.25)
        axes = (radius, radius * flatness[0], radius * flatness[1])
        turn = Rotation.from_rotvec(rng.normal(0, 0.6, 3)).as_matrix()
        x, y, z = inside[index]
        patches.append(Patch(centre=(x, y, z), half_axes=axes, rotation=turn))
    return patches


def draw_effusions(rng: np.random.Generator, severity: float) -> dict[int, Effusion]:
    """Draw fluid on one side or both; 1 is the patient's right."""
    sides = [(1, -1), (1,), (-1,)][rng.choice(3, p=[0.4, 0.35, 0.25])]
    return {
        side: Effusion(
            thickness=float(rng.uniform(10, 22) + 36 * severity * rng.uniform(0.2, 1)),
            front=float(rng.uniform(-30, 0) + 40 * severity),
            top=float(rng.uniform(20, 60) + 60 * severity),
        )
        for side in sides
    }


def patch_field(patches: list[Patch], points: Points, texture: SmoothNoise, roughness: float) -> Field:
    """Rough distance to the patches, negative inside (mm); `roughness` is that of their edge, part of their size."""
    field = np.full(points[0].shape, FAR_MM, dtype=np.float32)
    for patch in patches:
        reach = 2.0 * max(patch.half_axes)
        near = np.ones(field.shape, dtype=bool)
        for p, c in zip(points, patch.centre, strict=True):
            near &= np.abs(p - np.float32(c)) < reach
        if not near.any():
            continue
        x, y, z = (p[near] for p in points)
        local = np.stack([x, y, z], axis=-1) - np.array(patch.centre, dtype=np.float32)
        to_unit = (patch.rotation / np.array(patch.half_axes)[:, None]).T.astype(np.float32)
        level = np.linalg.norm(local @ to_unit, axis=-1)
        rough = level - 1 + np.float32(roughness) * texture((x, y, z))
        field[near] = np.minimum(field[near], rough * np.float32(min(patch.half_axes)))
    return field


def effusion_field(effusions: dict[int, Effusion], points: Points, lungs: Field, back: Field) -> Field:
    """Distance to the fluid, where there is pleural space: a layer at the back that thins to the front and upwards.

    Args:
        effusions: Fluid on either side.
        points: Points of the reference body.
        lungs: Signed distance to the pleural spaces.
        back: Where the inner chest wall lies behind, at each point.
    """
    return np.asarray(-lungs - fluid_thickness(effusions, points, back), dtype=np.float32)


def fluid_thickness(effusions: dict[int, Effusion], points: Points, back: Field) -> Field:
    """How thick the fluid is over each place of the pleura, mm; negative where there is none."""
    x, y, z = points
    thick = np.full(x.shape, -FAR_MM, dtype=np.float32)
    for side, fluid in effusions.items():
        ahead = np.clip((fluid.front - y) / (fluid.front - back), 0, 1.2)
        below = np.clip((fluid.top - z) / 90.0, 0, 1)
        lateral = np.clip((np.abs(x + 4) - 18) / 24, 0, 1)
        layer = fluid.thickness * _smooth(ahead) * _smooth(below) * lateral - 2.0
        thick = np.where((x + 4) * side > 0, layer, thick).astype(np.float32)
    return thick


def _smooth(t: Field) -> Field:
    t = np.minimum(t, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)

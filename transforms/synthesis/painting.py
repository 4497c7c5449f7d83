"""Paints drawn lesions into a CT: HU and label map on the native grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from transforms.synthesis.bronchograms import AIR_HU, draw_branches, hilum_of, open_airways
from transforms.synthesis.grain import Grain
from transforms.synthesis.lesions import DEFAULT_CLASSES, Kind, LesionPlan, LesionRanges
from transforms.synthesis.lung_space import Field, LungSpace
from transforms.synthesis.shapes import FAR_MM, effusion_distance, opacity_distance, smooth_noise

PLEURA_HU = (-700.0, -100.0)
"""A voxel at the surface of the lung mask that holds lung and chest wall both: fluid and consolidation take it too,
or a dark line would part them from the wall."""

ONSET: Mapping[str, tuple[float, float]] = {
    "ground_glass": (0.35, 6.0),
    "consolidation": (0.5, 1.5),
    "pleural_effusion": (0.6, 0.8),
}
"""How strong a lesion is at its edge, as a share, and after how many millimetres it has its full strength. Beyond the
edge it is nothing, so that the label map says what was changed."""

TEXTURE: Mapping[str, tuple[float, float]] = {"ground_glass": (0.22, 0.2), "consolidation": (0.012, 0.012)}
"""Standard deviation of an opacity's density, as a share: fine (3 mm) and coarse (9 mm)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Painted:
    """A CT with lesions; arrays are `(X, Y, Z)`.

    Attributes:
        hu: HU, in the number format of the CT that was painted on.
        labels: The lesions' values, 0 elsewhere: there `hu` is as it was.
    """

    hu: NDArray[np.int16] | NDArray[np.float32]
    labels: NDArray[np.uint8]


def paint_lesions(
    hu: NDArray[np.int16] | NDArray[np.float32],
    space: LungSpace,
    plan: LesionPlan,
    *,
    ranges: LesionRanges | None = None,
    classes: Mapping[str, int] = DEFAULT_CLASSES,
) -> Painted:
    """Paints lesions; equal plans give equal voxels.

    Ground glass takes a share of the air of each voxel and puts tissue in its place: vessels, which hold no air, stay
    what they are and show through the haze. Consolidation takes nearly all of it, so that vessels vanish and only
    airways stay dark. Fluid takes the place of the lung. Where lesions meet, fluid comes before consolidation, and
    consolidation before ground glass.

    Args:
        hu: `(X, Y, Z)` on the native grid of `space`; not changed.
        space: The lungs of this CT.
        plan: What is painted.
        ranges: Says where gravity pulls.
        classes: The value of each lesion in the label map.
    """
    random = np.random.RandomState(plan.seed)
    canvas = _Canvas(hu, space, random)
    textures = [smooth_noise(random, space, scale) for scale in (1.6, 4.5, 11.0)]
    kinds: tuple[Kind, ...] = ("ground_glass", "consolidation")
    for kind in kinds:
        canvas.fill_air(kind, *_opacities(kind, plan, space, textures), value=classes[kind])
        if kind == "consolidation":
            canvas.open(_airways(random, plan, space), value=classes[kind])
    for effusion in plan.effusions:
        distance = effusion_distance(effusion, space, ranges or LesionRanges(), textures[2])
        canvas.displace("pleural_effusion", distance, effusion.fluid_hu, value=classes["pleural_effusion"])
    return canvas.result()


def _opacities(kind: Kind, plan: LesionPlan, space: LungSpace, textures: list[Field]) -> tuple[Field, Field, Field]:
    """Distance to all opacities of a kind, and density and HU of the nearest one, on the lattice."""
    fine, coarse, bumps = textures
    roughness = np.asarray((bumps + 0.7 * coarse) / np.hypot(1, 0.7), dtype=np.float32)
    distance = np.full(space.sides.shape, FAR_MM, dtype=np.float32)
    density, tissue = np.zeros_like(distance), np.zeros_like(distance)
    for opacity in (each for each in plan.opacities if each.kind == kind):
        box, own = opacity_distance(opacity, space, roughness)
        nearest = own < distance[box]
        distance[box] = np.where(nearest, own, distance[box])
        density[box] = np.where(nearest, np.float32(opacity.density), density[box])
        tissue[box] = np.where(nearest, np.float32(opacity.tissue_hu), tissue[box])
    rough, patchy = TEXTURE[kind]
    return distance, np.clip(density * (1 + rough * fine + patchy * coarse), 0, 1), tissue


def _airways(random: np.random.RandomState, plan: LesionPlan, space: LungSpace) -> Field:
    consolidated = [each for each in plan.opacities if each.kind == "consolidation"]
    hila = {side: hilum_of(space, side) for side in {each.side for each in consolidated}}
    pieces = [draw_branches(random, each, hila[each.side]) for each in consolidated]
    return open_airways(np.concatenate(pieces) if pieces else np.empty((0, 7)), space.near)


class _Canvas:
    """The native voxels around the lungs in the making."""

    def __init__(
        self, hu: NDArray[np.int16] | NDArray[np.float32], space: LungSpace, random: np.random.RandomState
    ) -> None:
        self.before, self.space = hu, space
        self.hu = np.ascontiguousarray(hu[space.box], dtype=np.float32)
        lung = space.lungs > 0
        self.labels = np.zeros(self.hu.shape, dtype=np.uint8)
        self.lung = lung
        low, high = PLEURA_HU
        rim = ndimage.binary_dilation(lung) & ~lung & (self.hu > low) & (self.hu < high)
        self.with_pleura = lung | rim
        self.grain = Grain.of(hu, space.native.affine).draw(random, self.hu.shape)

    def fill_air(self, kind: Kind, distance: Field, density: Field, tissue: Field, *, value: int) -> None:
        """Puts tissue in the place of a share of the air."""
        room = self.lung if kind == "ground_glass" else self.with_pleura
        mask, strength = self._edge(kind, distance, room)
        if not mask.any():
            return
        share = strength * self.space.on_voxels(density)[mask]
        target = self.space.on_voxels(tissue)[mask] + self.grain[mask]
        # What holds no air has none to lose: vessels keep their HU.
        self.hu[mask] += share * np.maximum(target - self.hu[mask], 0 if kind == "ground_glass" else -np.inf)
        self.labels[mask] = value

    def open(self, filled: Field, *, value: int) -> None:
        """Leaves airways open where the label map says consolidation."""
        mask = (self.labels == value) & (filled > 0)
        self.hu[mask] += filled[mask] * (AIR_HU + self.grain[mask] - self.hu[mask])

    def displace(self, kind: str, distance: Field, fluid_hu: float, *, value: int) -> None:
        """Puts fluid in the place of lung."""
        mask, strength = self._edge(kind, distance, self.with_pleura)
        self.hu[mask] += strength * (fluid_hu + self.grain[mask] - self.hu[mask])
        self.labels[mask] = value

    def _edge(self, kind: str, distance: Field, room: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Field]:
        """The voxels of a lesion, and how strong it is in each of them."""
        away = self.space.on_voxels(distance)
        mask = room & (away < 0)
        onset, width_mm = ONSET[kind]
        return mask, (onset + (1 - onset) * np.clip(-away[mask] / width_mm, 0, 1)).astype(np.float32)

    def result(self) -> Painted:
        """The whole CT."""
        changed = self.labels > 0
        whole = self.before.copy()
        labels = np.zeros(whole.shape, dtype=np.uint8)
        labels[self.space.box] = self.labels
        values = self.hu[changed]
        if whole.dtype.kind == "i":
            values = np.rint(values)
        whole[self.space.box][changed] = values.astype(whole.dtype)
        return Painted(hu=whole, labels=labels)

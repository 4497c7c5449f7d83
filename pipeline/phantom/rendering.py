"""From a scene to HU, truth mask and lung mask, a few slices at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pipeline.phantom.lattice import Box
from pipeline.phantom.scanner import KernelNoise, table_depth, table_hu
from pipeline.phantom.scene import Scene, build_scene
from pipeline.phantom.shapes import Field
from pipeline.phantom.skeleton import girdle, ribs, spine, sternum
from pipeline.phantom.spec import LESION_LABELS, PhantomSpec

HU_RANGE = (-1024, 3071)
"""What 12 bits hold with an intercept of -1024."""

_SLAB = 24


@dataclass(frozen=True, kw_only=True)
class Phantom:
    """A synthetic chest CT with its truth, all on one grid; arrays are (X, Y, Z)."""

    spec: PhantomSpec
    hu: NDArray[np.int16]
    labels: NDArray[np.uint8]
    """0 background, 1 ground glass, 2 consolidation, 3 pleural effusion."""
    lungs: NDArray[np.uint8]
    """1 the patient's left lung, 2 the right, diseased lung included and fluid excluded."""
    affine: NDArray[np.float64]
    """Voxel indices to world millimetres (RAS+), (4, 4)."""


def make_phantom(spec: PhantomSpec) -> Phantom:
    """Make the chest CT that a spec asks for; equal specs give equal arrays.

    Example:
        >>> phantom = make_phantom(PhantomSpec(seed=1, spacing_mm=(8.0, 8.0, 8.0)))
        >>> phantom.hu.shape, np.unique(phantom.labels).tolist()
        ((48, 48, 39), [0, 1, 2, 3])
    """
    # Many small products: threads would cost more than they give, and the sums' order could follow their number.
    with threadpool_limits(1, user_api="blas"):
        return render(build_scene(spec), spec)


def render(scene: Scene, spec: PhantomSpec) -> Phantom:
    """Draw a scene and its truth; for scenes whose fields were changed after :func:`build_scene`.

    Args:
        scene: The patient on the grid of the spec.
        spec: What the scene was built from.

    Returns:
        HU and masks.
    """
    x, y, z = spec.grid_shape
    hu = np.empty((z, y, x), dtype=np.int16)
    labels = np.zeros((z, y, x), dtype=np.uint8)
    lungs = np.zeros((z, y, x), dtype=np.uint8)
    spacing = scene.lattice.spacing_mm
    noise = KernelNoise(scene.noise_rng, (y, x), (spacing[1], spacing[0]), scene.patient.sharpness)
    for first in range(0, z, _SLAB):
        slab = _Slab(scene, slice(first, min(first + _SLAB, z)))
        slab.draw_patient()
        slab.draw_truth(labels, lungs)
        slab.add_noise(noise, spec.noise)
        hu[slab.z] = np.clip(np.rint(slab.hu), *HU_RANGE)
    return Phantom(
        spec=spec,
        hu=hu.transpose(2, 1, 0),
        labels=labels.transpose(2, 1, 0),
        lungs=lungs.transpose(2, 1, 0),
        affine=spec.affine,
    )


class _Slab:
    """A few slices in the making; tissues are laid over each other from the skin inwards."""

    def __init__(self, scene: Scene, z: slice) -> None:
        self.scene = scene
        self.z = z
        x, y, _ = scene.lattice.shape
        self.hu = np.full((z.stop - z.start, y, x), -1000, dtype=np.float32)
        self._airless = np.zeros_like(self.hu)
        self._edge = float(np.clip(1.15 * scene.lattice.spacing_mm[:2].mean(), 0.9, 6.0))

    def draw_patient(self) -> None:
        """Fill in HU, without noise."""
        patient, fields, textures = self.scene.patient, self.scene.fields, self.scene.textures
        fine, coarse = textures["fine"], textures["coarse"]
        self._draw_table()
        self._draw_blanket()
        self._fill(fields["body"], 20.0)
        self._fill(fields["body"] + 2.0, -104 + 6 * fine + 4 * coarse)
        self._fill(fields["gland"], 10 + 22 * coarse, 5.0)
        self._draw_muscles()
        self._fill(fields["cavity"] + 2.5, -98 + 8 * fine)
        self._fill(np.maximum(np.abs(fields["below"] + 0.25) - 3.25, fields["cavity"]), 45.0)
        self._fill(fields["crura"], 50.0)
        self._fill(fields["liver"], patient.liver_hu + 3 * fine)
        self._fill(fields["spleen"], 0.85 * patient.liver_hu + 8)
        self._draw_stomach()
        self._fill(fields["tissue"], 38 + 5 * fine)
        self._fill(fields["heart"], -85.0)
        self._fill(fields["heart"] + np.maximum(1.5 + 3 * coarse, 0), 44 + 0.28 * (patient.blood_hu - 40))
        self._fill(fields["chambers"], patient.blood_hu)
        self._fill(fields["blood"], patient.blood_hu)
        self._draw_bones()
        self._draw_lungs()
        self._draw_airways()

    def _box(self, field: Field, reach: float = 8.0) -> Box | None:
        return self.scene.lattice.box_of(field < reach, self.z)

    def _up(self, field: Field, box: Box) -> Field:
        return self.scene.lattice.upsample(field, box)

    def _points(self, box: Box) -> tuple[Field, Field, Field]:
        x, y, z = (self._up(p, box) for p in self.scene.points)
        return x, y, z

    def _part(self, box: Box) -> Field:
        return self.hu[:, box.y, box.x]

    def _fill(self, field: Field, value: Field | float, edge: float | None = None) -> None:
        box = self._box(field)
        if box is None:
            return
        target = value if isinstance(value, float) else self._up(value, box)
        self._lay(box, _covered(self._up(field, box), edge or self._edge), target)

    def _lay(self, box: Box, covered: Field, target: Field | float) -> None:
        part = self._part(box)
        part += covered * (target - part)

    def _draw_table(self) -> None:
        patient = self.scene.patient
        back = patient.scale[1] * (self.scene.thorax.back.at(10) - 46 - 0.6 * patient.fat_mm) - 5.0
        x, y, _ = self.scene.world
        box = self.scene.lattice.box_of(table_depth(x, y, back) > -8, self.z)
        if box is not None:
            hu, filled = table_hu(table_depth(self._up(x, box), self._up(y, box), back))
            self._lay(box, filled, hu)

    def _draw_muscles(self) -> None:
        """Muscles in layers from the skin inwards, each in a sheath of fat."""
        fields, fine = self.scene.fields, self.scene.textures["fine"]
        streaky = 56 + 4 * fine - 40 * np.clip(fine - 1.2, 0, 1.5)
        for name in ("superficial", "middle", "deep"):
            self._fill(fields[name] - 1.4, -95.0)
            self._fill(fields[name], streaky)
        self._fill(fields["cavity"] - 11.5, -95.0)
        self._fill(fields["cavity"] - 9.5, streaky)

    def _draw_blanket(self) -> None:
        """A sheet that lies loosely over the patient's front."""
        body, front = self.scene.fields["body"], self.scene.points[1]
        box = self.scene.lattice.box_of((body > 0) & (body < 30) & (front > -10), self.z)
        if box is not None:
            gap = self._up(body - 11 - 5 * self.scene.textures["coarse"], box)
            sheet = np.clip(1 - np.abs(gap) / 1.6, 0, 1) * np.clip(self._up(front, box) / 20, 0, 1)
            self._lay(box, sheet, -880.0)

    def _draw_stomach(self) -> None:
        field = self.scene.fields["stomach"]
        self._fill(field, 40.0)
        self._fill(field + 5, 22.0)
        air = self.scene.patient.stomach_gas + 24 - self.scene.points[1]
        self._fill(np.maximum(field + 5, air), -980.0)

    def _draw_bones(self) -> None:
        x, y, z = self.scene.points
        behind = y - self.scene.thorax.back(z) - 26
        self._draw_ribs()
        box = self.scene.lattice.box_of((np.abs(x) < 46) & (behind > -66) & (behind < 24), self.z)
        if box is not None:
            vertebrae, discs = spine(self._points(box), self.scene.thorax.back)
            self._lay(box, _covered(discs, self._edge), 78.0)
            self._lay_bone(box, vertebrae, 0.9, 620, 190)
        ahead = y - self.scene.thorax.front_of_cavity(z)
        box = self.scene.lattice.box_of((np.abs(x) < 40) & (ahead > -8) & (ahead < 20) & (z < 100) & (z > -80), self.z)
        if box is not None:
            points = self._points(box)
            self._lay_bone(box, sternum(points, self.scene.thorax.front_of_cavity(points[2])), 1.0, 420, 110)
        box = self._box(self.scene.fields["girdle"])
        if box is not None:
            self._lay_bone(box, girdle(self._points(box)), 1.8, 900, 180)

    def _draw_ribs(self) -> None:
        cavity = self.scene.fields["cavity"]
        box = self.scene.lattice.box_of((cavity > -4) & (cavity < 18), self.z)
        if box is None:
            return
        depth = self._up(cavity, box)
        near = (depth > 0) & (depth < 13)
        angle, height = (self._up(f, box)[near] for f in (self.scene.fields["angle"], self.scene.points[2]))
        for kind, sheet in zip(
            ribs(depth[near], angle, height), ((1.4, 850.0, 170.0), (50.0, 95.0, 95.0)), strict=True
        ):
            distance = np.full(depth.shape, 9.0, dtype=np.float32)
            distance[near] = kind
            self._lay_bone(box, distance, *sheet)

    def _lay_bone(self, box: Box, distance: Field, cortex_mm: float, cortex_hu: float, marrow_hu: float) -> None:
        k = np.float32(self.scene.patient.bone)
        shell = np.clip(0.5 + (distance + cortex_mm) / self._edge, 0, 1)
        self._lay(box, _covered(distance, self._edge), k * (marrow_hu + (cortex_hu - marrow_hu) * shell))

    def _draw_lungs(self) -> None:
        fields, patient = self.scene.fields, self.scene.patient
        box = self._box(fields["lungs"])
        if box is None:
            return
        fine, coarse = self.scene.textures["fine"], self.scene.textures["coarse"]
        depth = (-self.scene.points[1] / 170 + 0.5) * patient.gradient_hu
        air = self._up(patient.lung_hu + depth + 14 * fine + 9 * coarse, box)
        self._add_fissures(box, air)
        if "ground_glass" in fields:
            haze = self._up(fields["ground_glass"], box)
            alpha = _covered(haze, 9.0)
            level = self._up(-560 + 50 * fine + 35 * coarse, box) - 4 * np.minimum(haze, 0)
            air += alpha * (level - air)
        vessels = self.scene.vessels[box] * np.float32(1 / 255)
        air += vessels * (patient.blood_hu - air)
        if "consolidation" in fields:
            alpha = _covered(self._up(fields["consolidation"], box), 3.5)
            air += alpha * (self._up(28 + 9 * fine, box) + 0.3 * vessels * patient.blood_hu - air)
        covered = _covered(self._up(fields["lungs"], box), self._edge)
        if "effusion" in fields:
            fluid = _covered(self._up(fields["effusion"], box), self._edge)
            air += fluid * (9 - air)
            self._airless[:, box.y, box.x] = fluid * covered
        self._lay(box, covered, air)

    def _add_fissures(self, box: Box, air: Field) -> None:
        right = self._up(self.scene.points[0], box) > -4
        oblique = self._up(self.scene.fields["oblique"], box)
        horizontal = self._up(self.scene.fields["horizontal"], box)
        air += 150 * np.exp(-((oblique / 0.8) ** 2))
        air += 110 * np.exp(-((horizontal / 0.8) ** 2)) * right * (oblique > 0)

    def _draw_airways(self) -> None:
        for filled, value in ((self.scene.airway_walls, 25.0), (self.scene.airway_lumens, -985.0)):
            self.hu += filled[self.z] * (1 - self._airless) / np.float32(255) * (value - self.hu)

    def draw_truth(self, labels: NDArray[np.uint8], lungs: NDArray[np.uint8]) -> None:
        """Fill in the slab's part of both masks from the geometry at voxel centres."""
        fields = self.scene.fields
        box = self._box(fields["lungs"])
        if box is None:
            return
        inside = self._up(fields["lungs"], box) < 0
        label = labels[box]
        lung = np.where(self._up(self.scene.points[0], box) > -4, np.uint8(2), np.uint8(1)) * inside
        for name in ("ground_glass", "consolidation"):
            if name in fields:
                label[inside & (self._up(fields[name], box) < 0)] = LESION_LABELS[name]
        if "effusion" in fields:
            fluid = inside & (self._up(fields["effusion"], box) < 0)
            label[fluid] = LESION_LABELS["pleural_effusion"]
            lung[fluid] = 0
        lungs[box] = lung

    def add_noise(self, noise: KernelNoise, factor: float) -> None:
        """Add noise that grows with what the rays pass through, in streaks between the shoulders."""
        lattice, patient = self.scene.lattice, self.scene.patient
        box = Box(self.z, slice(0, lattice.shape[1]), slice(0, lattice.shape[0]))
        depth = np.clip(-self.scene.fields["body"] / 70, -0.2, 1)
        shoulders = np.clip((self.scene.points[2] - 85) / 45, 0, 1).astype(np.float32)
        # Airspaces too small to see make lung look rougher than its noise.
        grain = 0.5 * _covered(self.scene.fields["lungs"], 6.0)
        amplitude = self._up((0.4 + 0.6 * depth) * (1 + 0.9 * shoulders) + grain, box) * np.float32(
            patient.noise_hu * factor
        )
        streaks = self._up(shoulders, box).mean(axis=(1, 2))
        for image, part, streak in zip(self.hu, amplitude, streaks, strict=True):
            image += part * noise.slice(float(np.clip(streak, 0, 1)) * 0.8)


def _covered(distance: Field, edge_mm: float) -> Field:
    """Part of a voxel inside a surface at a signed distance."""
    return np.asarray(np.clip(0.5 - distance / np.float32(edge_mm), 0, 1), dtype=np.float32)

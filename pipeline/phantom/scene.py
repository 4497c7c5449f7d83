"""One patient on one voxel grid: every field of the coarse lattice and everything drawn on the voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.phantom import organs
from pipeline.phantom.lattice import Lattice
from pipeline.phantom.lesions import (
    Effusion,
    draw_effusions,
    draw_patches,
    effusion_field,
    fluid_thickness,
    patch_field,
)
from pipeline.phantom.painting import Coverage, paint_tubes
from pipeline.phantom.patient import Patient, SmoothNoise, Warp, draw_patient
from pipeline.phantom.shapes import FAR_MM, Field, smooth_max, smooth_path
from pipeline.phantom.skeleton import girdle
from pipeline.phantom.spec import PhantomSpec
from pipeline.phantom.thorax import Points, Thorax
from pipeline.phantom.trees import LungRoom, Tree, airways_along, grow_tree
from pipeline.phantom.vessels import BRONCHI, HILA, VEIN_HILA, GreatVessels

_TARGETS = 1300
_SMALLEST_AIRWAY = 16


@dataclass(frozen=True, kw_only=True)
class Scene:
    """All that rendering needs; fields are on the coarse lattice (Z, Y, X), coverages on the voxels (Z, Y, X)."""

    patient: Patient
    thorax: Thorax
    lattice: Lattice
    world: Points
    points: Points
    fields: dict[str, Field]
    textures: dict[str, Field]
    vessels: Coverage
    airway_walls: Coverage
    airway_lumens: Coverage
    noise_rng: np.random.Generator


def build_scene(spec: PhantomSpec) -> Scene:
    """Draw the patient and work out everything but the HU.

    Each part draws from its own child of one generator, so that the patient does not depend on grid or lesions.
    """
    who, shape_rng, tree_rng, lesion_rng, texture_rng, noise_rng = np.random.default_rng(spec.seed).spawn(6)
    patient = draw_patient(who)
    warp = Warp(patient, shape_rng)
    thorax = Thorax(patient, GreatVessels(patient))
    lattice = Lattice(spec.grid_shape, spec.affine)
    world = lattice.world_points()
    points = warp.to_reference(world)
    textures = {name: SmoothNoise(texture_rng, mm)(points) for name, mm in (("fine", 9.0), ("coarse", 28.0))}
    fields = _outlines(thorax, points, textures)
    targets = _lung_points(thorax, tree_rng)
    _add_lesions(fields, thorax, points, spec, lesion_rng, targets)
    vessels, walls, lumens = _draw_trees(lattice, warp, thorax, targets, tree_rng)
    return Scene(
        patient=patient,
        thorax=thorax,
        lattice=lattice,
        world=world,
        points=points,
        fields=fields,
        textures=textures,
        vessels=vessels,
        airway_walls=walls,
        airway_lumens=lumens,
        noise_rng=noise_rng,
    )


def _outlines(thorax: Thorax, points: Points, textures: dict[str, Field]) -> dict[str, Field]:
    body = thorax.body(points) + np.float32(1.2) * textures["coarse"]
    cavity = thorax.cavity(points)
    below = thorax.diaphragm(points)
    heart = smooth_max(thorax.heart(points), 3 - below, 8.0)
    x, y, z = points
    middle = (thorax.back(z) + thorax.front_of_cavity(z)) / 2
    oblique, horizontal = organs.lung_fissures(points)
    shoulders = np.full(x.shape, FAR_MM, dtype=np.float32)
    upper = z > -5
    shoulders[upper] = girdle((x[upper], y[upper], z[upper]))
    return {
        "body": body,
        "cavity": cavity,
        "below": below,
        "lungs": thorax.lungs(points),
        **organs.muscles(thorax, points, body),
        "chambers": thorax.chambers(points, heart),
        "heart": heart,
        "blood": thorax.vessels.field(points),
        "tissue": organs.mediastinal_tissue(thorax, points),
        "liver": organs.liver(points, below),
        "spleen": organs.spleen(points, below),
        "stomach": organs.stomach(points, below),
        "crura": organs.crura(thorax, points),
        "gland": organs.breast_gland(thorax, points, textures["fine"]),
        "oblique": oblique,
        "horizontal": horizontal,
        "girdle": shoulders,
        "angle": np.arctan2(np.abs(x), middle - y).astype(np.float32),
    }


def _lung_points(thorax: Thorax, rng: np.random.Generator) -> NDArray[np.float64]:
    """Points spread evenly through both lungs: columns x, y, z and depth under the pleura, mm."""
    cloud = rng.uniform((-128, -95, -150), (128, 90, 142), (26000, 3)).astype(np.float32)
    depth = -thorax.lungs((cloud[:, 0], cloud[:, 1], cloud[:, 2]))
    keep = depth > 1.5
    return np.column_stack([cloud[keep], depth[keep]]).astype(np.float64)


def _add_lesions(
    fields: dict[str, Field],
    thorax: Thorax,
    points: Points,
    spec: PhantomSpec,
    rng: np.random.Generator,
    targets: NDArray[np.float64],
) -> None:
    """Draw lesions of the wanted kinds; where there is fluid, those of the lung lie on the lung beside it."""
    severity = spec.severity
    effusions = draw_effusions(rng, severity)
    if "pleural_effusion" in spec.lesions:
        fields["effusion"] = effusion_field(effusions, points, fields["lungs"], thorax.back(points[2]))
        dry = targets[:, 3] - np.maximum(_fluid_over(effusions, thorax, targets), 0)
        targets = np.column_stack([targets[:, :3], dry])[dry > 1]
    inside, depth = targets[:, :3], targets[:, 3]
    hazy = draw_patches(rng, inside, depth, 4 + round(10 * severity), (12, 22 + 26 * severity))
    dense = draw_patches(rng, inside, depth, 2 + round(4 * severity), (12, 17 + 22 * severity))
    rough = [SmoothNoise(rng, mm) for mm in (14.0, 11.0)]
    if "ground_glass" in spec.lesions:
        fields["ground_glass"] = patch_field(hazy, points, rough[0], 0.42)
    if "consolidation" in spec.lesions:
        fields["consolidation"] = patch_field(dense, points, rough[1], 0.34)


def _fluid_over(effusions: dict[int, Effusion], thorax: Thorax, targets: NDArray[np.float64]) -> Field:
    x, y, z = targets[:, :3].astype(np.float32).T
    return fluid_thickness(effusions, (x, y, z), thorax.back(z))


def _draw_trees(
    lattice: Lattice, warp: Warp, thorax: Thorax, targets: NDArray[np.float64], rng: np.random.Generator
) -> tuple[Coverage, Coverage, Coverage]:
    room = LungRoom(thorax.lungs)
    x, y, z = lattice.shape
    vessels, walls, lumens = (np.zeros((z, y, x), dtype=np.uint8) for _ in range(3))
    for side in (1, -1):
        mine = targets[(targets[:, 0] + 4) * side > 0, :3]
        chosen = rng.permutation(len(mine))[: 2 * _TARGETS]
        arteries = grow_tree(HILA[side], (side, -0.3, -0.5), mine[chosen[:_TARGETS]], room.keep_inside, rng)
        veins = grow_tree(VEIN_HILA[side], (side, 0.1, -0.1), mine[chosen[_TARGETS:]], room.keep_inside, rng)
        airways = airways_along(arteries, BRONCHI[side], _SMALLEST_AIRWAY)
        for tree in (arteries, veins):
            paint_tubes(vessels, lattice.spacing_mm, _segments(tree, lattice, warp))
        segments = np.vstack(
            [
                _segments(airways, lattice, warp),
                _path_segments(thorax.vessels.main_bronchus(side), lattice, warp),
            ]
        )
        _paint_airways(walls, lumens, lattice, segments)
    _paint_airways(walls, lumens, lattice, _path_segments(thorax.vessels.trachea(), lattice, warp))
    return vessels, walls, lumens


def _paint_airways(walls: Coverage, lumens: Coverage, lattice: Lattice, segments: NDArray[np.float64]) -> None:
    outer = segments.copy()
    outer[:, 6:] = outer[:, 6:] * 1.12 + 0.4
    paint_tubes(walls, lattice.spacing_mm, outer)
    paint_tubes(lumens, lattice.spacing_mm, segments)


def _path_segments(path: NDArray[np.float64], lattice: Lattice, warp: Warp) -> NDArray[np.float64]:
    fine = smooth_path([tuple(row) for row in path], 4.0)
    places = lattice.to_image_mm(warp.to_world(fine[:, :3]))
    return np.column_stack([places[:-1], places[1:], fine[:-1, 3], fine[1:, 3]])


def _segments(tree: Tree, lattice: Lattice, warp: Warp) -> NDArray[np.float64]:
    start, end = (lattice.to_image_mm(warp.to_world(ends)) for ends in (tree.start, tree.end))
    return np.column_stack([start, end, tree.start_radius, tree.end_radius])

"""Soft tissues as signed distances on the coarse lattice: muscles, gullet, thymus, abdominal organs."""

from __future__ import annotations

import numpy as np

from pipeline.phantom.shapes import FAR_MM, Field, box, ellipsoid, smooth_max, smooth_min, superellipse, tube
from pipeline.phantom.thorax import Thorax
from pipeline.phantom.vessels import Points, rotation_to


def muscles(thorax: Thorax, points: Points, body: Field) -> dict[str, Field]:
    """Muscles of the chest wall, the back, the shoulders and the neck, in layers that touch each other."""
    x, y, z = points
    k = thorax.patient.muscle
    side = (np.abs(x), y, z)
    deep = superellipse(side[0] - 25, y - thorax.back(z) + 18 - 0.12 * (side[0] - 25), 24 * k, 14 * k, 2.1)
    neck = superellipse(x, y - thorax.back(z) - 18, 44 * k, 40, 2.2)
    deep = np.minimum(deep, np.maximum(neck, 118 - z))
    layers = {"deep": deep}
    for name, parts in _LAYERS.items():
        layers[name] = np.full(x.shape, FAR_MM)
        for centre, axes, direction in parts:
            muscle = ellipsoid(side, centre, (axes[0], axes[1] * k, axes[2]), rotation_to(direction))
            layers[name] = np.minimum(layers[name], muscle)
    under_skin = body + 4 + 0.45 * thorax.patient.fat_mm
    return {name: smooth_max(layer, under_skin, 4.0) for name, layer in layers.items()}


_Muscle = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
_LAYERS: dict[str, tuple[_Muscle, ...]] = {
    "superficial": (
        ((66, 64, 50), (62, 9, 56), (0.90, -0.42, 0.1)),  # pectoralis major
        ((150, -40, 66), (42, 20, 58), (0.62, 0.78, 0.1)),  # teres and latissimus in the fold of the armpit
        ((60, -124, 70), (64, 9, 96), (0.98, 0.18, 0.0)),  # trapezius and rhomboids
        ((84, -112, -70), (62, 8, 90), (0.92, 0.38, 0.0)),  # latissimus of the back
        ((176, -18, 130), (46, 40, 52), (1.0, 0.0, 0.2)),  # deltoid
    ),
    "middle": (
        ((82, 46, 62), (34, 7, 40), (0.85, -0.52, 0.1)),  # pectoralis minor
        ((142, 0, -10), (50, 9, 92), (0.10, 0.99, 0.0)),  # serratus and latissimus
        ((128, -76, 76), (44, 11, 52), (0.80, 0.60, 0.0)),  # infraspinatus
        ((116, -46, 74), (46, 12, 54), (0.80, 0.60, 0.0)),  # subscapularis
    ),
}


def mediastinal_tissue(thorax: Thorax, points: Points) -> Field:
    """What is neither fat nor blood between the lungs: gullet, thymus and a few lymph nodes."""
    shape = tube(points, thorax.vessels.gullet())
    for centre, axes in (
        ((-3.0, 44.0, 48.0), (20.0, 5.0, 26.0)),
        ((10.0, -6.0, 50.0), (6.0, 5.0, 9.0)),
        ((4.0, -26.0, 22.0), (8.0, 5.0, 9.0)),
        ((-20.0, -2.0, 46.0), (5.0, 4.0, 7.0)),
        ((16.0, -2.0, 150.0), (9.0, 9.0, 22.0)),
        ((-16.0, -2.0, 150.0), (9.0, 9.0, 22.0)),
    ):
        shape = np.minimum(shape, ellipsoid(points, centre, axes))
    return np.asarray(shape, dtype=np.float32)


def liver(points: Points, below: Field) -> Field:
    """The liver under the right dome, with its left lobe; `below` is the space under the diaphragm."""
    right = ellipsoid(points, (58.0, 2.0, -128.0), (74.0, 88.0, 76.0))
    left = ellipsoid(points, (-6.0, 32.0, -110.0), (76.0, 46.0, 44.0))
    return smooth_max(smooth_min(right, left, 20.0), below + 3, 3.0)


def spleen(points: Points, below: Field) -> Field:
    """The spleen, behind under the left dome."""
    shape = ellipsoid(points, (-92.0, -44.0, -130.0), (34.0, 52.0, 52.0), rotation_to((0.9, 0.4, 0.0)))
    return smooth_max(shape, below + 4, 3.0)


def stomach(points: Points, below: Field) -> Field:
    """The stomach, in front under the left dome."""
    shape = ellipsoid(points, (-66.0, 22.0, -122.0), (46.0, 52.0, 54.0))
    return smooth_max(shape, below + 3.5, 4.0)


def crura(thorax: Thorax, points: Points) -> Field:
    """The pillars of the diaphragm beside the aorta."""
    x, y, z = points
    pillar = box(np.abs(x).astype(np.float32) - 17, y - thorax.back(z) - 38, 5.0, 20.0, 4.0)
    return np.asarray(np.maximum(pillar, z + 95), dtype=np.float32)


def breast_gland(thorax: Thorax, points: Points, texture: Field) -> Field:
    """Gland tissue within the breasts, as irregular as `texture`."""
    breasts = thorax.breasts(points)
    if not breasts:
        return np.full(points[0].shape, 40.0, dtype=np.float32)
    depth = np.minimum(breasts[0], breasts[1]) + 9
    return np.asarray(depth - 8 * (texture + thorax.patient.breast_gland - 1), dtype=np.float32)


def lung_fissures(points: Points) -> tuple[Field, Field]:
    """Signed distances to the oblique fissure of both lungs and to the horizontal one of the right."""
    x, y, z = points
    bulge = 7 * np.sin(x / 34.0) + 5 * np.cos(y / 28.0)
    oblique = 0.62 * (y - 14) + 0.78 * (z + 30) - 0.25 * bulge + np.where(x > 0, 0, -4)
    horizontal = z - 4 - 0.10 * y - bulge * 0.6
    return oblique.astype(np.float32), horizontal.astype(np.float32)

"""Who lies in the scanner: the numbers that differ between patients, and the warp from a reference body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from pipeline.phantom.shapes import Field

_NOISE_CELLS = 48


@dataclass(frozen=True, kw_only=True)
class Patient:
    """What differs between patients; lengths in millimetres of the reference body, densities in HU."""

    scale: tuple[float, float, float]
    fat_mm: float
    breast_mm: float
    breast_gland: float
    muscle: float
    heart: float
    aorta_mm: float
    dome_mm: tuple[float, float]
    lung_hu: float
    gradient_hu: float
    blood_hu: float
    liver_hu: float
    bone: float
    kyphosis: float
    noise_hu: float
    sharpness: float
    stomach_gas: float


def draw_patient(rng: np.random.Generator) -> Patient:
    """Draw one patient; about a third have had contrast medium and half have breasts."""
    female, contrast = rng.random() < 0.5, rng.random() < 0.35
    width = float(np.clip(rng.normal(1.02 if female else 1.1, 0.05), 0.92, 1.2))
    return Patient(
        scale=(width, float(rng.uniform(0.94, 1.12)), float(rng.uniform(0.94, 1.06))),
        fat_mm=float(rng.uniform(6, 22) + 4 * female),
        breast_mm=float(rng.uniform(18, 42)) if female else 0.0,
        breast_gland=float(rng.uniform(-0.8, 1.2)),
        muscle=float(rng.uniform(0.8, 1.0) if female else rng.uniform(0.95, 1.25)),
        heart=float(rng.uniform(0.9, 1.14)),
        aorta_mm=float(rng.uniform(11.5, 15.5)),
        dome_mm=(float(rng.uniform(-82, -58)), float(rng.uniform(-94, -70))),
        lung_hu=float(rng.uniform(-895, -845)),
        gradient_hu=float(rng.uniform(30, 90)),
        blood_hu=float(rng.uniform(110, 230) if contrast else rng.uniform(36, 48)),
        liver_hu=float(rng.uniform(90, 115) if contrast else rng.uniform(42, 64)),
        bone=float(rng.uniform(0.7, 1.15)),
        kyphosis=float(rng.uniform(0.7, 1.4)),
        noise_hu=float(rng.uniform(16, 34)),
        sharpness=float(rng.uniform(0.0, 1.0)),
        stomach_gas=float(rng.uniform(-10, 25)),
    )


class SmoothNoise:
    """Unit-variance noise that is a smooth function of the place, whatever grid it is looked at on.

    Args:
        rng: Where the noise comes from.
        scale_mm: The size of its blobs.
    """

    def __init__(self, rng: np.random.Generator, scale_mm: float) -> None:
        self._cell = scale_mm / 2.5
        lattice = rng.standard_normal((_NOISE_CELLS,) * 3, dtype=np.float32)
        lattice = gaussian_filter(lattice, 1.0, mode="wrap")
        self._lattice = lattice / lattice.std()

    def __call__(self, points: tuple[Field, Field, Field]) -> Field:
        """The noise at points given as x, y and z."""
        indices = [p / np.float32(self._cell) for p in points]
        return np.asarray(map_coordinates(self._lattice, indices, order=1, mode="grid-wrap"), dtype=np.float32)


class Warp:
    """Maps between the world and the reference body: a scaling and a smooth individual deformation."""

    _AMPLITUDE_MM = 3.5

    def __init__(self, patient: Patient, rng: np.random.Generator) -> None:
        self._scale = np.array(patient.scale)
        self._noise = [SmoothNoise(rng, 90.0) for _ in range(3)]

    def to_reference(self, world: tuple[Field, Field, Field]) -> tuple[Field, Field, Field]:
        """World coordinates x, y, z (mm) to those of the reference body."""
        x, y, z = (
            (p / np.float32(s) + np.float32(self._AMPLITUDE_MM) * noise(world)).astype(np.float32)
            for p, s, noise in zip(world, self._scale, self._noise, strict=True)
        )
        return x, y, z

    def to_world(self, reference: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (N, 3) of the reference body to the world, by fixed-point iteration."""
        world = reference * self._scale
        for _ in range(4):
            columns = (world[:, 0], world[:, 1], world[:, 2])
            back = self.to_reference(columns)
            world = world + (reference - np.stack(back, axis=1)) * self._scale
        return np.asarray(world, dtype=np.float64)

"""The great vessels, the windpipe and the gullet, as paths (x, y, z, radius) in the reference body."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.phantom.patient import Patient
from pipeline.phantom.shapes import FAR_MM, Field, Profile, smooth_path, tube

Points = tuple[Field, Field, Field]

CARINA = (1.0, -22.0, 41.0)
HILA = {1: (36.0, -8.0, 11.0), -1: (-40.0, -14.0, 20.0)}
"""Where the lung arteries enter; 1 is the patient's right, -1 the left."""
BRONCHI = {1: (34.0, -20.0, 5.0), -1: (-40.0, -27.0, 2.0)}
"""Where the main bronchi enter."""
VEIN_HILA = {1: (34.0, -10.0, -8.0), -1: (-38.0, -16.0, -6.0)}
"""Where the lung veins leave."""


class GreatVessels:
    """Paths that follow the patient's spine."""

    def __init__(self, patient: Patient) -> None:
        bend = patient.kyphosis
        self.back = Profile(*((z, -90 + bend * 0.0011 * (z - 5) ** 2) for z in range(-190, 200, 10)))
        self._aorta = patient.aorta_mm
        self._blood = self._blood_paths()

    def field(self, points: Points) -> Field:
        """Signed distance to all vessels that are full of blood."""
        return _nearest(points, self._blood)

    def gullet(self) -> NDArray[np.float64]:
        """The oesophagus, beside the descending aorta."""
        knots = ((160, 24), (90, 22), (40, 23), (0, 24), (-40, 26), (-80, 34), (-100, 44))
        return smooth_path([(-3.0 if z > 0 else -6.0, self.spine(z) + ahead, z, 6.5) for z, ahead in knots])

    def trachea(self) -> NDArray[np.float64]:
        """The windpipe down to the carina."""
        top = [(0.0, self.spine(z) + 38, z, 8.2) for z in (165, 130, 100, 70)]
        return smooth_path([*top, (*CARINA, 8.8)])

    def main_bronchus(self, side: int) -> NDArray[np.float64]:
        """From the carina into the lung of one side."""
        x, y, z = BRONCHI[side]
        middle = (x * 0.45, -23.0, CARINA[2] + (z - CARINA[2]) * 0.5, 6.4)
        return smooth_path([(*CARINA, 7.5), middle, (x, y, z, 6.0 if side > 0 else 5.4)], 4.0)

    def spine(self, z: float) -> float:
        """The middle of the vertebral bodies at a height."""
        return self.back.at(z) + 26

    def _blood_paths(self) -> list[NDArray[np.float64]]:
        r = self._aorta
        down = [(x, self.spine(z) + 27, z, r * f) for x, z, f in ((-21, -20, 0.86), (-14, -80, 0.8), (-6, -165, 0.76))]
        aorta = [(2, 22, -15, r * 1.1), (11, 28, 15, r * 1.1), (9, 24, 44, r * 1.05), (0, 10, 62, r), (-18, -10, 65, r)]
        arch = [(-26, -30, 56, r * 0.95), (-24, self.spine(25) + 24, 25, r * 0.9)]
        paths: list[Sequence[Sequence[float]]] = [
            [*aorta, *arch, *down],
            [(4, 10, 66, 7), (15, 6, 95, 6.5), (28, 2, 122, 6), (34, -2, 160, 5)],
            [(-8, 0, 68, 4.5), (-15, 0, 110, 4), (-24, -2, 165, 3.8)],
            [(-18, -12, 68, 5.5), (-27, -16, 105, 5), (-48, -10, 126, 5), (-90, -2, 130, 4.5)],
            [(26, 14, 66, 8), (28, 10, 35, 10), (27, 8, -10, 11)],
            [(26, 14, 64, 8), (36, 10, 100, 7), (46, 6, 128, 7), (42, 4, 165, 6)],
            [(26, 16, 66, 7.5), (0, 30, 76, 7), (-30, 20, 104, 7), (-44, 8, 128, 7), (-40, 6, 165, 5.5)],
            [(-16, 44, -14, 14), (-20, 34, 12, 13.5), (-18, 10, 30, 12.5)],
            [(-16, 12, 30, 11), (10, 4, 25, 10.5), (*HILA[1], 8)],
            [(-18, 8, 32, 11), (-30, -6, 33, 10), (*HILA[-1], 8)],
            [(0, -12, -10, 8), (*VEIN_HILA[1], 6)],
            [(0, -12, -10, 8), (*VEIN_HILA[-1], 6)],
            [(24, 0, -62, 11), (24, -10, -95, 11.5), (20, -16, -165, 11)],
            [*((9, self.spine(z) + 19, z, 3.6) for z in (-150, -60, 30)), (14, -30, 47, 4), (24, 4, 48, 4.5)],
        ]
        return [smooth_path(path) for path in paths]


def rotation_to(axis: Sequence[float]) -> NDArray[np.float64]:
    """Rows of an orthonormal frame whose first axis points along `axis`."""
    first = np.asarray(axis, dtype=float) / np.linalg.norm(axis)
    third = np.cross(first, (0.0, 1.0, 0.0))
    third /= np.linalg.norm(third)
    return np.stack([first, np.cross(third, first), third])


def _nearest(points: Points, paths: list[NDArray[np.float64]]) -> Field:
    """Distance to several tubes, worked out only in the middle of the chest where they run."""
    x, y, _ = points
    near = (np.abs(x) < 110) & (y > -95) & (y < 75)
    inner = (x[near], points[1][near], points[2][near])
    distance = np.full(x.shape, FAR_MM, dtype=np.float32)
    nearest = np.full(inner[0].shape, FAR_MM, dtype=np.float32)
    for path in paths:
        nearest = np.minimum(nearest, tube(inner, path))
    distance[near] = nearest
    return distance

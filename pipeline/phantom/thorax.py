"""The outlines that everything else hangs on: skin, chest wall, diaphragm, mediastinum and lungs.

Points are those of the reference body in millimetres: x to the patient's right, y to the front, z to the head, with
z = 0 a little below the carina. All fields are signed distances, negative inside.
"""

from __future__ import annotations

import numpy as np

from pipeline.phantom.patient import Patient
from pipeline.phantom.shapes import Field, Profile, box, ellipsoid, smooth_max, smooth_min, superellipse
from pipeline.phantom.vessels import GreatVessels, rotation_to

Points = tuple[Field, Field, Field]

_HALF_WIDTH = Profile(
    (-170, 112),
    (-140, 119),
    (-90, 124),
    (-40, 124),
    (20, 119),
    (60, 107),
    (85, 93),
    (105, 74),
    (120, 56),
    (132, 36),
    (139, 14),
    (142, 3),
)
_FRONT = Profile((-170, 74), (-110, 82), (-60, 84), (-20, 80), (40, 66), (80, 46), (105, 26), (125, 4), (142, -18))
_BODY_HALF_WIDTH = Profile((-170, 138), (-60, 149), (0, 151), (50, 160), (85, 178), (110, 194), (135, 200), (170, 190))
_BODY_FRONT = Profile((-170, 98), (-110, 104), (-50, 104), (20, 94), (70, 78), (105, 60), (130, 46), (170, 40))
_BODY_BACK = Profile((-170, -46), (-60, -44), (20, -46), (90, -44), (130, -40), (170, -40))


class Thorax:
    """The outlines of one patient."""

    def __init__(self, patient: Patient, vessels: GreatVessels) -> None:
        self.patient = patient
        self.vessels = vessels
        self.back = vessels.back

    def cavity(self, points: Points) -> Field:
        """The space inside the ribs, of the chest and the upper abdomen."""
        here, above = (self._cavity_section(points, lift) for lift in (0.0, 3.0))
        rise = np.clip((above - here) / 3, -3, 3)
        return np.asarray(here / np.sqrt(1 + rise * rise), dtype=np.float32)

    def _cavity_section(self, points: Points, lift: float) -> Field:
        x, y, z = points[0], points[1], points[2] + np.float32(lift)
        back, front = self.back(z), _FRONT(z)
        return superellipse(x, y - (back + front) / 2, _HALF_WIDTH(z), np.maximum(front - back, 8) / 2, 2.35)

    def front_of_cavity(self, z: Field) -> Field:
        """Where the inner chest wall lies in front, at each height."""
        return _FRONT(z)

    def body(self, points: Points) -> Field:
        """The skin."""
        x, y, z = points
        fat = np.float32(self.patient.fat_mm)
        front, back = _BODY_FRONT(z) + fat, self.back(z) + _BODY_BACK(z) - fat * np.float32(0.6)
        wide = _BODY_HALF_WIDTH(z) + fat * np.float32(0.8)
        trunk = superellipse(x, y - (back + front) / 2, wide, (front - back) / 2, 2.5)
        furrow = 9 * np.exp(-((x / 16) ** 2)) * (y < (front + back) / 2)
        trunk = (trunk + furrow).astype(np.float32)
        for breast in self.breasts(points):
            trunk = smooth_min(trunk, breast, 22.0)
        return trunk

    def breasts(self, points: Points) -> list[Field]:
        """The two breasts, flattened as in a supine patient; none for a male one."""
        size = self.patient.breast_mm
        if size == 0:
            return []
        front = _FRONT.at(-12) + 10 + self.patient.fat_mm * 0.5
        axes = (58.0, 14.0 + size, 62.0)
        return [ellipsoid(points, (side * 84.0, front - 10, -12.0), axes) for side in (1, -1)]

    def dome_height(self, x: Field, y: Field) -> Field:
        """Height z of the diaphragm over each place."""
        right, left = self.patient.dome_mm
        return -smooth_min(-_dome(x - 60, y - 12, right), -_dome(x + 64, y - 8, left), 14.0)

    def diaphragm(self, points: Points) -> Field:
        """Everything below the diaphragm."""
        x, y, z = points
        here = self.dome_height(x, y)
        slope_x = (self.dome_height(x + 3, y) - here) / 3
        slope_y = (self.dome_height(x, y + 3) - here) / 3
        return np.asarray((z - here) / np.sqrt(1 + slope_x**2 + slope_y**2), dtype=np.float32)

    def heart(self, points: Points) -> Field:
        """The pericardium and what is in it, as if there were no diaphragm."""
        k = self.patient.heart
        turn = rotation_to((-0.74, 0.5, -0.44))
        left = ellipsoid(points, (-30.0 * k, 22.0, -46.0), (58 * k, 42 * k, 45 * k), turn)
        right = ellipsoid(points, (16.0, 20.0, -36.0), (32 * k, 36 * k, 42 * k))
        return smooth_min(smooth_min(left, right, 22.0), self.left_atrium(points), 12.0)

    def chambers(self, points: Points, heart: Field) -> Field:
        """The blood within the heart."""
        k = self.patient.heart
        turn = rotation_to((-0.74, 0.5, -0.44))
        left = ellipsoid(points, (-42.0 * k, 16.0, -50.0), (38 * k, 21 * k, 22 * k), turn)
        right = ellipsoid(points, (-12.0, 44.0 * k, -44.0), (38 * k, 12 * k, 30 * k), rotation_to((-0.8, 0.3, -0.5)))
        atrium = ellipsoid(points, (24.0, 16.0, -36.0), (20 * k, 26 * k, 34 * k))
        chambers = np.minimum(np.minimum(left, right), np.minimum(atrium, self.left_atrium(points) + 3))
        return smooth_max(chambers, heart + 4, 3.0)

    def left_atrium(self, points: Points) -> Field:
        """The left atrium, in front of the oesophagus."""
        return ellipsoid(points, (-4.0, -12.0, -14.0), (36.0, 21.0, 22.0))

    def mediastinum(self, points: Points) -> Field:
        """All between the lungs: spine, heart, vessels and the fat around them."""
        x, y, z = points
        spine = self.back(z) + 24
        vertebrae = box(x, y - spine + 25, 20.0, 46.0, 16.0)
        wide = np.interp(z, [-150, -40, 20, 60, 100, 140], [14, 14, 18, 24, 26, 22]).astype(np.float32)
        middle, front = spine + 20, _FRONT(z)
        column = superellipse(x + 1, y - (middle + front * 0.55) / 2, wide, (front * 0.55 - middle) / 2 + 18, 2.4)
        septum = np.abs(x + 4) - 3 - 14 * np.exp(-np.maximum(front - 4 - y, 0) / 9)
        shape = smooth_min(vertebrae, column, 12.0)
        shape = smooth_min(shape, septum.astype(np.float32), 10.0)
        shape = smooth_min(shape, self.heart(points) - 1.5, 10.0)
        fat_pad = ellipsoid(points, (-46.0, 52.0, -82.0), (34.0, 26.0, 22.0))
        shape = smooth_min(shape, fat_pad, 12.0)
        return smooth_min(shape, self.vessels.field(points) - 3, 6.0)

    def lungs(self, points: Points) -> Field:
        """Both pleural spaces: lungs, and fluid where there is some."""
        inside = smooth_max(self.cavity(points) + 1, -self.mediastinum(points), 7.0)
        return smooth_max(inside, -self.diaphragm(points) + 1, 4.0)


def _dome(x: Field, y: Field, top: float) -> Field:
    reach = np.where(y > 0, 104.0, 80.0)
    radius = (np.abs(x) / 62) ** 2.2 + (np.abs(y) / reach) ** 2.2
    return np.asarray(top - 52 * radius**1.1, dtype=np.float32)

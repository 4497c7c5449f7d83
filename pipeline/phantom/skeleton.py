"""Bones as signed distances at points of the reference body: spine, ribs, sternum and shoulder girdle."""

from __future__ import annotations

import numpy as np

from pipeline.phantom.shapes import FAR_MM, Field, Profile, box, capsule, ellipsoid, smooth_min, smooth_path, tube

Points = tuple[Field, Field, Field]

LEVEL_MM = 24.5
"""Distance from one vertebra, and the back of one rib, to the next."""
_FIRST_RIB_Z = 121.0
_DROP_MM = (30.0, 10.5)
_RIB_DEPTH_MM = 4.6
_BONE_ENDS = np.array([0.70, 0.74, 0.77, 0.79, 0.80, 0.79, 0.77, 0.73, 0.68, 0.62, 0.45, 0.30]) * np.pi
_CARTILAGE_ENDS = np.array([0.93, 0.97, 0.97, 0.97, 0.97, 0.97, 0.95, 0.88, 0.80, 0.70, 0.45, 0.30]) * np.pi


def spine(points: Points, back: Profile) -> tuple[Field, Field]:
    """Vertebrae, and the discs between them; `back` is where the chest's inner wall lies behind."""
    x, y, z = points
    level = (z - _FIRST_RIB_Z + 4) / LEVEL_MM
    height = ((level - np.round(level)) * LEVEL_MM).astype(np.float32)
    behind = y - back(z) - 26
    grown = (1.06 - 0.0011 * z).astype(np.float32)
    half_height = np.float32(LEVEL_MM / 2 - 2.3)
    waist = grown * (0.9 + 0.1 * (height / half_height) ** 2)
    column = superellipse_body(x, behind, waist)
    vertebra = np.maximum(column, np.abs(height) - half_height)
    disc = np.maximum(column + 1, half_height + 0.5 - np.abs(height))
    return smooth_min(vertebra, _arch(x, behind, height), 3.0), disc


def superellipse_body(x: Field, behind: Field, size: Field) -> Field:
    """The section of a vertebral body, flat towards the canal."""
    rounded = np.hypot(x / (16.5 * size), behind / (14 * size)) - 1
    return np.asarray(np.maximum(rounded * 14 * size, -behind - 11.5 * size), dtype=np.float32)


def _arch(x: Field, behind: Field, height: Field) -> Field:
    """Pedicles, laminae and processes around the canal, at heights from the middle of their vertebra."""
    side = np.abs(x)
    ring = np.abs(np.hypot(x, (behind + 21) * 1.05) - 10.5) - 2.2
    ring = np.maximum(np.maximum(ring, np.abs(height + 1) - 8.5), behind + 15)
    pedicle = np.maximum(np.hypot(side - 10, (height - 4.5) * 0.8) - 3.6, np.abs(behind + 16) - 6)
    arch = np.minimum(ring, pedicle)
    here = (side, behind, height)
    arch = np.minimum(arch, capsule(here, (12, -23, 3), (31, -34, 6), (5.0, 4.2)))
    arch = np.minimum(arch, ellipsoid(here, (13.5, -24, 9.5), (4.5, 4.5, 6)))
    arch = np.minimum(arch, ellipsoid(here, (13.5, -25, -10), (4.5, 4.5, 6)))
    for up in (0.0, LEVEL_MM):
        process = (side * 1.3, behind, height - np.float32(up))
        arch = np.minimum(arch, capsule(process, (0, -31, 0), (0, -53, -19), (3.4, 4.2)))
    return np.asarray(arch, dtype=np.float32)


def ribs(cavity: Field, angle: Field, z: Field) -> tuple[Field, Field]:
    """Bone and cartilage of the ribs, from the distance to the inner chest wall and the angle from the back.

    Args:
        cavity: Signed distance to the inner chest wall.
        angle: Angle around the chest from the spine, 0 at the back to pi in front, on either side.
        z: Height in the reference body.
    """
    fall = _fall(angle)
    pitch = LEVEL_MM + _DROP_MM[1] * fall
    number = (_FIRST_RIB_Z - _DROP_MM[0] * fall - z) / pitch
    nearest = np.clip(np.round(number), 0, 11)
    across = (number - nearest) * pitch * np.cos(0.55 * np.sin(np.clip(angle / 0.8, 0, np.pi)))
    depth = cavity - _RIB_DEPTH_MM
    tilt = 0.12 * across
    section = (np.sqrt(((depth - tilt) / 3.7) ** 2 + (across / 6.6) ** 2) - 1) * 4.2
    index = nearest.astype(np.intp)
    end, last = _BONE_ENDS[index], _CARTILAGE_ENDS[index]
    bone = np.maximum(section, (angle - end) * 80)
    cartilage = np.maximum(np.maximum(section + 0.3, (end - angle) * 80), (angle - last) * 80)
    return bone.astype(np.float32), cartilage.astype(np.float32)


def _fall(angle: Field) -> Field:
    """How far a rib has come down at an angle: 0 at the spine, 1 at its lowest, then up towards the sternum."""
    down = np.clip(angle / (0.8 * np.pi), 0, 1)
    up = np.clip((angle - 0.8 * np.pi) / (0.2 * np.pi), 0, 1)
    return np.asarray(down**1.2 * (1.6 - 0.6 * down) - 0.38 * up**1.5, dtype=np.float32)


def sternum(points: Points, front: Field) -> Field:
    """Manubrium, body and xiphoid; `front` is where the chest's inner wall lies in front, at each point."""
    x, y, z = points
    wide = np.interp(z, [-72, -52, -40, 30, 44, 50, 78, 92], [4, 9, 18, 14, 16, 24, 30, 22]).astype(np.float32)
    plate = box(x, y - front - 6, wide, 5.5, 4.0)
    joint = np.abs(z - 46) - 1.0
    return np.asarray(np.maximum(np.maximum(plate, np.abs(z - 10) - 82), -joint), dtype=np.float32)


def girdle(points: Points) -> Field:
    """Clavicles, scapulae and heads of the humeri, arms above the head; mirrored, x counts from the middle."""
    side = (np.abs(points[0]).astype(np.float32), points[1], points[2])
    clavicle = tube(side, smooth_path([(22, 40, 92, 8), (40, 40, 101, 6), (85, 16, 114, 5.5), (140, -18, 126, 6)]))
    bones = np.minimum(clavicle, _scapula(side))
    head = ellipsoid(side, (176, -16, 132), (22, 22, 22))
    shaft = capsule(side, (178, -16, 138), (192, 0, 200), (15, 12))
    return np.asarray(np.minimum(bones, np.minimum(head, shaft)), dtype=np.float32)


def _scapula(points: Points) -> Field:
    """A curved triangular blade behind the ribs, with its spine and the socket of the shoulder."""
    x, y, z = points[0] - 124, points[1] + 62, points[2]
    along, off = x * 0.80 + y * 0.60, -x * 0.60 + y * 0.80
    off = off + 0.004 * along**2 - 0.06 * (z - 70)
    outer = np.interp(z, [5, 20, 60, 105, 125], [-22, -14, 6, 30, 24])
    inner = np.interp(z, [5, 20, 60, 105, 125], [-34, -40, -44, -42, -28])
    edge = np.maximum(np.maximum(inner - along, along - outer), np.maximum(5 - z, z - 128))
    thick = 1.5 + 3.2 * np.exp(-(((along - outer) / 6) ** 2)) + 0.9 * np.exp(-(((along - inner) / 4) ** 2))
    blade = np.maximum(np.abs(off) - thick, edge)
    ridge = np.maximum(np.abs(z - 100 - 0.15 * along) - 2.6, np.maximum(np.abs(off + 9) - 10, np.abs(along + 2) - 36))
    socket = ellipsoid(points, (154, -34, 118), (9, 13, 17))
    tip = ellipsoid(points, (158, -50, 136), (18, 9, 7))
    near = np.abs(off) < FAR_MM
    bones = np.minimum(np.where(near, np.minimum(blade, ridge), FAR_MM), np.minimum(socket, tip))
    return np.asarray(bones, dtype=np.float32)

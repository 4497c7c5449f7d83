"""The volume that reading gives, before it is read."""

from __future__ import annotations

import numpy as np

from pipeline.inspection.orientation import oblique_degrees, plane_of
from pipeline.inspection.results import VolumeInspection
from transforms.reading.volume import Affine


def volume_of(shape: tuple[int, int, int], affine: Affine) -> VolumeInspection:
    """A grid of voxels, `(X, Y, Z)`, in the patient."""
    edges = [round(float(edge), 4) for edge in np.linalg.norm(affine[:3, :3], axis=0)]
    return VolumeInspection(
        shape=shape,
        spacing_mm=(edges[0], edges[1], edges[2]),
        plane=plane_of(affine[:3, 2]),
        oblique_degrees=oblique_degrees(affine[:3, :3]),
    )

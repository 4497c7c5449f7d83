"""A volume file as it is going to be read: what its header says."""

from __future__ import annotations

from typing import NamedTuple

from transforms.reading.volume import Affine


class FilePlan(NamedTuple):
    """All that is known of the volume in a file before its voxels are read."""

    shape: tuple[int, int, int]
    affine: Affine
    """`(4, 4)`, from voxel indices to RAS+ millimetres."""
    repairs: tuple[str, ...]
    """What was put right, as short sentences."""

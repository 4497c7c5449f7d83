"""Volumes through networks: overlapping patches in 3D, whole slices in 2.5D, one interface."""

from pipeline.inference.device import select_device
from pipeline.inference.mirroring import mirrorings
from pipeline.inference.mode import is_exact
from pipeline.inference.patches import PatchInferer
from pipeline.inference.precision import Precision, autocast, resolve
from pipeline.inference.slabs import SlabInferer
from pipeline.inference.volume import VolumeInferer

__all__ = [
    "PatchInferer",
    "Precision",
    "SlabInferer",
    "VolumeInferer",
    "autocast",
    "is_exact",
    "mirrorings",
    "resolve",
    "select_device",
]

"""Random changes of training samples."""

from transforms.augmentation.affine_elastic import RandAffineElastic
from transforms.augmentation.affine_elasticd import RandAffineElasticd
from transforms.augmentation.batch import RandAffineElasticBatchd
from transforms.augmentation.deferred import PATCH_KEY, DeferredPatch, RandDeferredPatchd
from transforms.augmentation.deformation import Deformation, DeformationRanges, draw_deformation
from transforms.augmentation.intensity import IntensityChanges, IntensityRanges
from transforms.augmentation.margins import RandCutMarginsd
from transforms.augmentation.placement import PatchPlacement
from transforms.augmentation.positions import Positions
from transforms.augmentation.warp import Warp

__all__ = [
    "PATCH_KEY",
    "DeferredPatch",
    "Deformation",
    "DeformationRanges",
    "IntensityChanges",
    "IntensityRanges",
    "PatchPlacement",
    "Positions",
    "RandAffineElastic",
    "RandAffineElasticBatchd",
    "RandAffineElasticd",
    "RandCutMarginsd",
    "RandDeferredPatchd",
    "Warp",
    "draw_deformation",
]

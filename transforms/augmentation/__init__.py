"""Random changes of training samples."""

from transforms.augmentation.affine_elastic import RandAffineElasticd
from transforms.augmentation.deformation import Deformation, DeformationRanges, draw_deformation, sample_patch

__all__ = ["Deformation", "DeformationRanges", "RandAffineElasticd", "draw_deformation", "sample_patch"]

"""Masks from labels of slices and volumes alone: what a classifier looks at, refined to lung and intensity."""

from pipeline.weak_supervision.labelled_volumes import LabelledVolume, labelled_volumes
from pipeline.weak_supervision.mining import RegionMining
from pipeline.weak_supervision.pseudo_masks import PseudoMasks
from pipeline.weak_supervision.refining import LesionRefinement

__all__ = ["LabelledVolume", "LesionRefinement", "PseudoMasks", "RegionMining", "labelled_volumes"]

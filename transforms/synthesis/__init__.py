"""Lesions with known masks, painted into real lungs."""

from transforms.synthesis.drawing import draw_lesions
from transforms.synthesis.lesions import DEFAULT_CLASSES, Effusion, LesionPlan, LesionRanges, Opacity
from transforms.synthesis.lung_space import LungSpace
from transforms.synthesis.paint_lesions import RandPaintLesions, RandPaintLesionsd
from transforms.synthesis.painting import Painted, paint_lesions

__all__ = [
    "DEFAULT_CLASSES",
    "Effusion",
    "LesionPlan",
    "LesionRanges",
    "LungSpace",
    "Opacity",
    "Painted",
    "RandPaintLesions",
    "RandPaintLesionsd",
    "draw_lesions",
    "paint_lesions",
]

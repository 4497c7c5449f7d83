"""Single axial slices: pictures of CT and slices of volumes, from a file to the input of a 2D classifier."""

from transforms.slices.augmentation import slice_augmentation
from transforms.slices.batch_changes import ChangeRanges, apply_changes, draw_changes
from transforms.slices.body import SliceBox, slice_region
from transforms.slices.chains import slice_inference_chain, slice_training_chain, slice_validation_chain
from transforms.slices.image_file import read_image
from transforms.slices.load import LoadSliced
from transforms.slices.of_case import SlicesOfCased, lung_slices
from transforms.slices.probabilities import ToProbabilitiesd
from transforms.slices.slice_input import SliceInput
from transforms.slices.stack import SliceStack, read_stack

__all__ = [
    "ChangeRanges",
    "LoadSliced",
    "SliceBox",
    "SliceInput",
    "SliceStack",
    "SlicesOfCased",
    "ToProbabilitiesd",
    "apply_changes",
    "draw_changes",
    "lung_slices",
    "read_image",
    "read_stack",
    "slice_augmentation",
    "slice_inference_chain",
    "slice_region",
    "slice_training_chain",
    "slice_validation_chain",
]

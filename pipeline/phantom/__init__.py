"""Synthetic chest CT with exact truth, for tests, demonstrations and training."""

from pipeline.phantom.dataset import dataset_spec, write_phantom_dataset
from pipeline.phantom.rendering import Phantom, make_phantom
from pipeline.phantom.spec import LESION_LABELS, LesionName, PhantomSpec
from pipeline.phantom.training_set import write_training_set
from pipeline.phantom.writing import PhantomFiles, PhantomFormat, write_phantom

__all__ = [
    "LESION_LABELS",
    "LesionName",
    "Phantom",
    "PhantomFiles",
    "PhantomFormat",
    "PhantomSpec",
    "dataset_spec",
    "make_phantom",
    "write_phantom",
    "write_phantom_dataset",
    "write_training_set",
]

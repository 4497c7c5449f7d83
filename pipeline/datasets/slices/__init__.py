"""Labelled slices for classifiers: lists of pictures and of slices of volumes."""

from pipeline.datasets.slices.balance import class_weights
from pipeline.datasets.slices.datalist import load_slice_datalist
from pipeline.datasets.slices.studies import find_slice_cases
from pipeline.datasets.slices.volumes import with_slices

__all__ = ["class_weights", "find_slice_cases", "load_slice_datalist", "with_slices"]

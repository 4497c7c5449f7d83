"""Stacks of slices with masks for 2D segmentation: arrays, pictures and volumes."""

from pipeline.datasets.stacks.datalist import load_stack_datalist
from pipeline.datasets.stacks.studies import find_stack_cases

__all__ = ["find_stack_cases", "load_stack_datalist"]

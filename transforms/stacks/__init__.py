"""Stacks of slices for 2D segmentation: arrays, pictures and volumes as one kind of volume, with their masks."""

from transforms.stacks.load import LoadStackd, LoadStackMaskd
from transforms.stacks.masks import read_mask_stack
from transforms.stacks.read import pictures_of, read_image_stack
from transforms.stacks.settings import StackSettings

__all__ = ["LoadStackMaskd", "LoadStackd", "StackSettings", "pictures_of", "read_image_stack", "read_mask_stack"]

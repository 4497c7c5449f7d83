"""The named chains of slice classifiers: one way of a slice for training, validation and inference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from monai.transforms import Compose

from transforms.slices.augmentation import slice_augmentation
from transforms.slices.load import LoadSliced
from transforms.slices.of_case import SlicesOfCased
from transforms.slices.slice_input import SliceInput

Settings = SliceInput | Mapping[str, Any]


def slice_validation_chain(slice_input: Settings, *, allow: Sequence[str] = ()) -> Compose:
    """From a path (and a `slice`) under `image` to the network's input, without chance.

    Args:
        slice_input: What the network is given.
        allow: What the reader would otherwise refuse.
    """
    return Compose([LoadSliced("image", slice_input, allow=allow)])


def slice_training_chain(
    slice_input: Settings,
    *,
    allow: Sequence[str] = (),
    shorter_side: int | None = None,
    augmentation: Mapping[str, Any] | None = None,
) -> Compose:
    """From a path (and a `slice`) under `image` to one random training input; what comes before chance can be cached.

    Args:
        slice_input: What the network is given.
        allow: What the reader would otherwise refuse.
        shorter_side: Brings slices to this shorter side at their own ratio of sides before random crops, in place of
            the network's size.
        augmentation: Arguments of :func:`slice_augmentation`.
    """
    settings = SliceInput.of(slice_input)
    size = settings.image_size or (settings.shorter_side, settings.shorter_side)
    cached = settings if shorter_side is None else replace(settings, image_size=None, shorter_side=shorter_side)
    return Compose([LoadSliced("image", cached, allow=allow), *slice_augmentation(size, **(augmentation or {}))])


def slice_inference_chain(
    slice_input: Settings, *, series_uid: str | None = None, allow: Sequence[str] = ()
) -> Compose:
    """From a path under `image` to the inputs of all slices that show lung (:class:`SlicesOfCased`).

    Args:
        slice_input: What the network is given.
        series_uid: The DICOM series to read where a study holds several.
        allow: What the reader would otherwise refuse.
    """
    return Compose([SlicesOfCased("image", slice_input, series_uid=series_uid, allow=allow)])

"""Masks of stacks: label maps from `.npy`, pictures, or any volume file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from monai.data.meta_tensor import MetaTensor
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from transforms.errors import DataListError, GeometryError, LabelError, UnreadableError
from transforms.reading.labels import MAX_LABEL, check_allowed, read_label_map
from transforms.stacks.arrays import as_placed, check_part, open_array
from transforms.stacks.read import Part, cut, pictures_of
from transforms.stacks.settings import StackSettings

WHITE = 255
"""What a picture of one class has where the class is."""


def read_mask_stack(
    path: str | PathLike[str],
    image_path: str | PathLike[str],
    settings: StackSettings,
    *,
    part: Part = None,
    allowed: Sequence[int] | None = None,
) -> MetaTensor:
    """Reads the masks of a stack as one label map.

    Args:
        path: A `.npy` file, labels `(N, H, W)` or `(N, H, W, 1)` or a channel a class `(N, H, W, K)`; a folder of
            pictures, either one named as each picture of the image, or for a single picture one an object, which are
            merged; or what :func:`transforms.read_label_map` takes.
        image_path: The images that they belong to.
        settings: How; `mask_values` says what the channels stand for.
        part: See :func:`read_image_stack`.
        allowed: The values that classes have.

    Returns:
        uint8 `(1, X, Y, Z)`.

    Raises:
        CTError: One of the family for everything that cannot be read, or holds other values.
    """
    source = Path(path)
    if source.suffix.lower() == ".npy":
        labels = as_placed(_of_array(source, settings, part), source, "npy")
    elif files := pictures_of(source):
        images = pictures_of(Path(image_path))
        labels = as_placed(
            _of_pictures(files, images[check_part(part, len(images), source)], source), source, "pictures"
        )
    else:
        allowed = None if allowed is None else tuple(allowed)
        read = _last_read if part is not None else _read_volume
        return cut(read(str(path), allowed), part, source)
    if allowed is not None:
        check_allowed(labels[0].numpy(), allowed, str(path))
    return labels


def _read_volume(path: str, allowed: tuple[int, ...] | None) -> MetaTensor:
    return read_label_map(path, allowed=allowed)


_last_read = lru_cache(maxsize=1)(_read_volume)


def _of_array(path: Path, settings: StackSettings, part: Part) -> NDArray[np.uint8]:
    array = open_array(path)
    channels = array.shape[3] if array.ndim == 4 else 1
    if array.ndim not in (3, 4) or (channels > 1 and channels != len(settings.mask_values or ())):
        raise LabelError(
            "the array holds no masks of the classes", where=path, found=f"shape {array.shape}",
            expected="(N, H, W), or as many channels as `mask_values` names",
            remedy="Name the label value of each channel under `stack#mask_values`",
        )  # fmt: skip
    chosen = np.asarray(array[check_part(part, len(array), path)])
    if channels == 1:
        return _whole(chosen.reshape(chosen.shape[:3]), path)
    values = np.asarray(settings.mask_values, dtype=np.uint8)
    # Where channels overlap the first counts, and where none is set nothing does.
    return np.asarray(np.where((chosen > 0).any(axis=3), values[np.argmax(chosen > 0, axis=3)], 0), dtype=np.uint8)


def _of_pictures(files: Sequence[Path], images: Sequence[Path], path: Path) -> NDArray[np.uint8]:
    by_stem = {file.stem: file for file in files}
    if len(images) == 1 and images[0].stem not in by_stem:
        objects = [_read(file) > 0 for file in files]
        if len({one.shape for one in objects}) > 1:
            raise GeometryError("the masks of one picture differ in size", where=path)
        return np.asarray(np.any(np.stack(objects), axis=0)[None], dtype=np.uint8)
    missing = [image.stem for image in images if image.stem not in by_stem]
    if missing:
        raise DataListError(
            "pictures have no mask", where=path, found=", ".join(missing[:5]), expected="a mask of the same name",
            remedy="Add it, black where there is nothing",
        )  # fmt: skip
    masks = [_read(by_stem[image.stem]) for image in images]
    if len({mask.shape for mask in masks}) > 1:
        raise GeometryError("the masks of one stack differ in size", where=path)
    stack = np.stack(masks)
    white: bool = set(np.unique(stack).tolist()) <= {0, WHITE}
    return np.asarray(stack > 0 if white else stack, dtype=np.uint8)


def _read(file: Path) -> NDArray[np.uint8]:
    """The values of a mask: gray values, indices of a palette, or the brightest of its colours."""
    try:
        with Image.open(file) as picture:
            if picture.mode in ("L", "P"):
                return np.asarray(picture)
            if picture.mode == "1":
                return np.asarray(picture.convert("L"))
            return np.asarray(np.asarray(picture.convert("RGB")).max(axis=2))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        raise UnreadableError("the mask is no picture, or is corrupt", where=file, remedy="Copy it again") from error


def _whole(array: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    if array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
        raise LabelError("the array holds values that are no labels", where=path, expected="whole numbers")
    if array.size and (array.min() < 0 or array.max() > MAX_LABEL):
        raise LabelError(
            "the array holds values that are no labels", where=path, found=f"{array.min():g} to {array.max():g}",
            expected=f"0 to {MAX_LABEL}",
        )  # fmt: skip
    return array.astype(np.uint8)

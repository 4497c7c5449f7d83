"""Images of stacks: HU from `.npy`, pictures, or any CT volume."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor

from transforms.errors import GeometryError, IntensityError, UnreadableError
from transforms.file_kinds import is_hidden, is_image
from transforms.grids.grid import Grid, placed
from transforms.hu_windows import HUWindow, HUWindows
from transforms.reading.load import read_ct
from transforms.slices.image_file import read_image
from transforms.stacks.arrays import as_placed, check_part, open_array
from transforms.stacks.settings import StackSettings

Part = tuple[int, int] | None


def read_image_stack(
    path: str | PathLike[str],
    settings: StackSettings,
    *,
    part: Part = None,
    series_uid: str | None = None,
    allow: Sequence[str] = (),
) -> tuple[MetaTensor, MetaTensor]:
    """Reads slices as one volume.

    Args:
        path: A `.npy` file `(N, H, W)` or `(N, H, W, 1)` in HU; a picture, or a folder of pictures of one size in the
            order of their names; or whatever :func:`transforms.read_ct` takes.
        settings: How.
        part: First slice and the one after the last; `None` for all.
        series_uid: The DICOM series to read.
        allow: What the reader would otherwise refuse. Nothing says whether an array holds HU: it is not judged.

    Returns:
        The network's volume `(C, X, Y, Z)`, HU or, with `colour`, three channels of 0 to 1; and the one as read
        `(1, X, Y, Z)`. Of arrays and pictures X are the columns and Y the rows.

    Raises:
        CTError: One of the family for every input that cannot be read or trusted.
    """
    source = Path(path)
    if source.suffix.lower() == ".npy":
        native = _of_array(source, part)
    elif pictures := pictures_of(source):
        return _of_pictures(pictures, source, settings, part)
    else:
        read = _last_read if part is not None else _read
        native = cut(read(str(path), series_uid, tuple(sorted(allow))), part, source)
    return (_shown(native, settings) if settings.colour else native), native


def _read(path: str, series_uid: str | None, allow: tuple[str, ...]) -> MetaTensor:
    return read_ct(path, series_uid=series_uid, allow=allow, smallest=True).to_metatensor(None)


# Slices of one volume follow one another in a data list: it is read once.
_last_read = lru_cache(maxsize=1)(_read)


def pictures_of(path: Path) -> list[Path]:
    """The pictures that a path stands for: itself, or those in a folder, `2.png` before `10.png`; else none."""
    if is_image(path):
        return [path]
    if not path.is_dir():
        return []
    found = [file for file in path.iterdir() if is_image(file) and not is_hidden(file) and file.is_file()]
    return sorted(found, key=lambda file: [(not part.isdigit(), part.zfill(20)) for part in _parts(file.name)])


def cut(volume: MetaTensor, part: Part, path: Path) -> MetaTensor:
    """The slices of a part along the last axis of a volume, as a volume of its own."""
    if part is None:
        return volume
    chosen = check_part(part, volume.shape[3], path)
    grid = Grid.of(volume).cropped((0, 0, chosen.start), (*volume.shape[1:3], chosen.stop))
    own = {"original_affine": grid.affine.copy(), "spatial_shape": np.asarray(grid.shape)}
    # Without what is one a slice, which would no longer fit.
    rest = {key: value for key, value in volume.meta.items() if key not in ("source_files", "source_frames")}
    return placed(volume.as_subclass(torch.Tensor)[..., chosen], grid.affine, rest | own)


def _of_array(path: Path, part: Part) -> MetaTensor:
    array = open_array(path)
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if array.ndim != 3 or 0 in array.shape:
        raise UnreadableError(
            "the array is no stack of slices", where=path, found=f"shape {array.shape}",
            expected="(N, H, W) or (N, H, W, 1)",
        )  # fmt: skip
    stack = np.asarray(array[check_part(part, len(array), path)])
    limits = np.iinfo(np.int16)
    if stack.dtype.kind in "iu" and stack.min() >= limits.min and stack.max() <= limits.max:
        return as_placed(stack.astype(np.int16), path, "npy")
    if not np.isfinite(stack).all():
        raise IntensityError("the array holds values that are not numbers", where=path, expected="finite HU")
    return as_placed(stack.astype(np.float32), path, "npy")


def _of_pictures(
    files: Sequence[Path], path: Path, settings: StackSettings, part: Part
) -> tuple[MetaTensor, MetaTensor]:
    read = [read_image(file, colour=settings.colour)[0] for file in files[check_part(part, len(files), path)]]
    if len({picture.shape for picture in read}) > 1:
        raise GeometryError(
            "the pictures of one stack differ in size", where=path,
            found=", ".join(sorted({f"{width} × {height}" for height, width, *_ in (one.shape for one in read)})[:4]),
            remedy="Give each size a folder of its own",
        )  # fmt: skip
    stack = np.stack(read).astype(np.float32)
    if not settings.colour:
        window = HUWindow.from_config(settings.image_window)
        native = as_placed(window.low + stack * np.float32((window.high - window.low) / 255), path, "pictures")
        return native, native
    native = as_placed(np.round(stack.mean(axis=3)).astype(np.int16), path, "pictures")
    channels = torch.from_numpy(stack.transpose(3, 2, 1, 0) / 255)
    return placed(channels, Grid.of(native).affine, native.meta), native


def _shown(volume: MetaTensor, settings: StackSettings) -> MetaTensor:
    """A CT as the picture of it would look: three equal channels of 0 to 1."""
    gray: MetaTensor = HUWindows(settings.image_window)(volume)  # type: ignore[assignment]  # a MetaTensor stays one
    return placed(gray.as_subclass(torch.Tensor).repeat(3, 1, 1, 1), Grid.of(volume).affine, volume.meta)


def _parts(name: str) -> list[str]:
    return re.split(r"(\d+)", name.lower())

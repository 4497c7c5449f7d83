"""Pictures of CT slices: PNG and JPEG of any size, as gray values or in colour."""

from __future__ import annotations

import struct
import warnings
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from transforms.errors import IntensityError, NotFoundError, UnreadableError

SMALLEST_SIDE = 16
"""Pixels; a smaller picture shows no slice."""

FORMATS = ("PNG", "JPEG")
"""Formats that are read; others are refused by their content, whatever their name says."""

_COLOUR_SPREAD = 16
_COLOURED_SHARE = 0.02


def read_image(path: str | PathLike[str], *, colour: bool = False) -> tuple[NDArray[np.uint8], list[str]]:
    """Reads a picture as gray values, or in its colours.

    Without `colour`, colour becomes luminance (ITU-R 601). Transparent parts become black, a palette is resolved, an
    orientation in the EXIF header is applied.

    Args:
        path: A PNG or JPEG file.
        colour: Keeps red, green and blue; gray values stand in all three.

    Returns:
        Gray values `(H, W)` or colours `(H, W, 3)`, row 0 on top, and what is noteworthy, as short sentences.

    Raises:
        NotFoundError: When there is no such file.
        UnreadableError: When the file is empty, cut short, corrupt, or no PNG or JPEG.
        IntensityError: When its gray values cannot be told: more than 8 bits, or CMYK.
    """
    if not Path(path).is_file():
        raise NotFoundError("there is no such image", where=path, remedy="Check the path")
    if Path(path).stat().st_size == 0:
        raise UnreadableError("the image is empty", where=path, found="0 bytes", remedy="Copy the file again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                return _opened(picture, path, colour)
    except UnidentifiedImageError as error:
        raise UnreadableError(
            "the file is no image, or is corrupt", where=path, expected="PNG or JPEG", remedy="Copy the file again"
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableError(
            "the image claims to be larger than any slice", where=path, remedy="Store it with fewer pixels"
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:  # as Pillow tells of damaged files
        raise UnreadableError(
            "the image is cut short or corrupt", where=path, found=str(error), remedy="Copy the file again"
        ) from error


def _opened(picture: Image.Image, path: str | PathLike[str], colour: bool) -> tuple[NDArray[np.uint8], list[str]]:
    if picture.format not in FORMATS:
        raise UnreadableError(
            "the image is of another format", where=path, found=picture.format, expected=" or ".join(FORMATS),
            remedy="Convert it to PNG",
        )  # fmt: skip
    _check_mode(picture, path)
    if min(picture.size) < SMALLEST_SIDE:
        raise UnreadableError(
            "the image is too small to show a slice", where=path, found=f"{picture.width} × {picture.height} pixels",
            expected=f"at least {SMALLEST_SIDE} pixels on each side",
        )  # fmt: skip
    picture.load()
    upright = ImageOps.exif_transpose(picture)
    if upright.mode in ("L", "1"):
        return np.asarray(upright.convert("RGB" if colour else "L")), []
    opaque = Image.alpha_composite(Image.new("RGBA", upright.size, "black"), upright.convert("RGBA")).convert("RGB")
    if colour:
        return np.asarray(opaque), []
    return np.asarray(opaque.convert("L")), _colour_finding(np.asarray(opaque))


def _check_mode(picture: Image.Image, path: str | PathLike[str]) -> None:
    mode = picture.mode
    if mode.startswith(("I", "F")):
        raise IntensityError(
            "the image has more than 8 bits, and nothing says which gray is which HU", where=path,
            found=f"mode {mode}", expected="8 bits of gray or colour",
            remedy="Window it to 8 bits, or give the DICOM or NIfTI volume that it comes from",
        )  # fmt: skip
    if mode in ("CMYK", "YCCK", "LAB", "HSV"):
        raise IntensityError(
            "the image is in colours for print, which some programs store inverted", where=path,
            found=f"mode {mode}", expected="gray or RGB", remedy="Convert it to gray or RGB",
        )  # fmt: skip


def _colour_finding(rgb: NDArray[Any]) -> list[str]:
    spread = rgb.max(axis=2).astype(np.int16) - rgb.min(axis=2)
    share = float((spread > _COLOUR_SPREAD).mean())
    return [f"{100 * share:.0f} % of the pixels are coloured: drawn on, or no CT"] if share > _COLOURED_SHARE else []

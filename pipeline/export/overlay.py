"""A map of attention over a slice, as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_STOPS = np.array([[0, 0, 60], [120, 0, 130], [220, 50, 70], [250, 150, 20], [255, 245, 120]], dtype=np.float64)
"""Colours from none to most, dark to light, so that they stand apart in gray too."""

_STRENGTH = 0.6
_PAD = 4


def attention_overlay(gray: NDArray[np.uint8], attention: NDArray[np.floating]) -> Image.Image:
    """Colours a slice by a map; where the map is 0 the slice stays gray.

    Args:
        gray: `(H, W)`.
        attention: `(H, W)`, 0 to 1.

    Returns:
        RGB, of the slice's size.
    """
    strength = np.clip(np.asarray(attention, dtype=np.float64), 0, 1)
    places = np.linspace(0, 1, len(_STOPS))
    colours = np.stack([np.interp(strength, places, _STOPS[:, channel]) for channel in range(3)], axis=-1)
    opacity = (_STRENGTH * strength)[..., None]
    return Image.fromarray((gray[..., None] * (1 - opacity) + colours * opacity).round().astype(np.uint8))


def montage(pictures: Sequence[Image.Image], captions: Sequence[str], columns: int = 4) -> Image.Image:
    """Pictures of one size in rows, each with a line below it."""
    width, height = pictures[0].size
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    cell = (width + _PAD, height + 22)
    sheet = Image.new("RGB", (columns * cell[0] + _PAD, rows * cell[1] + _PAD), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left, top = _PAD + number % columns * cell[0], _PAD + number // columns * cell[1]
        sheet.paste(picture, (left, top))
        draw.text((left, top + height + 3), caption, "black", ImageFont.load_default(13))
    return sheet

"""Slices, outlines, letters and a legend on one canvas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from skimage.segmentation import find_boundaries

Colour = tuple[int, int, int]

#: Okabe and Ito, "Color Universal Design" (2008), without black: told apart by colour-blind readers. Label value v
#: takes colour v - 1, and the list starts anew after the last.
OKABE_ITO: tuple[Colour, ...] = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
    (213, 94, 0),
    (0, 114, 178),
)

_PANEL_SIDE = 512
_MARGIN = 12
_FILL_OPACITY = 0.3
_FONT_SIZE = 18
_BACKGROUND: Colour = (0, 0, 0)
_TEXT: Colour = (235, 235, 235)
#: Seen on dark lung and on bright tissue, and none of the classes'.
LUNG_OUTLINE: Colour = (160, 140, 255)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One slice as it is to be drawn, rows downwards, columns to the right.

    Attributes:
        gray: ``uint8 (rows, columns)``.
        label_map: ``uint8 (rows, columns)``.
        lungs: ``bool (rows, columns)`` or None.
        pixel_mm: Height and width of a pixel.
        letters: Directions at the left, right, upper and lower edge.
    """

    gray: npt.NDArray[np.uint8]
    label_map: npt.NDArray[Any]
    lungs: npt.NDArray[np.bool_] | None
    pixel_mm: tuple[float, float]
    letters: str


def colour_of(value: int) -> Colour:
    """Give the colour that a label value is drawn in.

    Args:
        value: 1 or more.

    Returns:
        Red, green and blue, 0 to 255.
    """
    return OKABE_ITO[(value - 1) % len(OKABE_ITO)]


def compose(
    panels: Sequence[Panel], legend: Mapping[str, tuple[int, float]], caption: str
) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """Put panels side by side over a legend.

    Args:
        panels: The slices; each is scaled to fit a square of 512 pixels, with square millimetres.
        legend: Class name to its label value and its volume in millilitres.
        caption: A line beside the legend.

    Returns:
        The picture, RGB, and the box of the panels in it: left, top, right, bottom.
    """
    pictures = [_draw(panel) for panel in panels]
    height = max(picture.height for picture in pictures)
    entries = _legend_rows(legend, caption, sum(picture.width + _MARGIN for picture in pictures) - _MARGIN)
    width = sum(picture.width + _MARGIN for picture in pictures) + _MARGIN
    canvas = Image.new("RGB", (width, height + 2 * _MARGIN + entries.height + _MARGIN), _BACKGROUND)
    left = _MARGIN
    for picture in pictures:
        canvas.paste(picture, (left, _MARGIN + (height - picture.height) // 2))
        left += picture.width + _MARGIN
    canvas.paste(entries, (_MARGIN, height + 2 * _MARGIN))
    return canvas, (0, 0, width, height + 2 * _MARGIN)


def _draw(panel: Panel) -> Image.Image:
    size = _size(panel)
    gray = Image.fromarray(panel.gray).resize(size, Image.Resampling.BILINEAR).convert("RGB")
    pixels = np.array(gray)
    if panel.lungs is not None:
        lungs = np.array(Image.fromarray(panel.lungs.astype(np.uint8)).resize(size, Image.Resampling.NEAREST))
        pixels[find_boundaries(lungs, mode="inner")] = LUNG_OUTLINE
    labels = np.array(Image.fromarray(panel.label_map.astype(np.uint8)).resize(size, Image.Resampling.NEAREST))
    outline = find_boundaries(labels, mode="inner")
    for value in np.unique(labels[labels > 0]):
        mask = labels == value
        colour = np.array(colour_of(int(value)))
        pixels[mask] = (pixels[mask] * (1 - _FILL_OPACITY) + colour * _FILL_OPACITY).astype(np.uint8)
        pixels[mask & outline] = colour
    picture = Image.fromarray(pixels)
    _letter(picture, panel.letters)
    return picture


def _size(panel: Panel) -> tuple[int, int]:
    height, width = (pixels * step for pixels, step in zip(panel.gray.shape, panel.pixel_mm, strict=True))
    scale = _PANEL_SIDE / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _letter(picture: Image.Image, letters: str) -> None:
    draw = ImageDraw.Draw(picture)
    width, height = picture.size
    places = (
        (4, height // 2, "lm"),
        (width - 4, height // 2, "rm"),
        (width // 2, 4, "ma"),
        (width // 2, height - 4, "md"),
    )
    for letter, (x, y, anchor) in zip(letters, places, strict=True):
        draw.text((x, y), letter, _TEXT, _font(), anchor=anchor, stroke_width=2, stroke_fill=_BACKGROUND)


def _legend_rows(legend: Mapping[str, tuple[int, float]], caption: str, width: int) -> Image.Image:
    """Flow the entries over as many rows as the width asks for."""
    font, line = _font(), _FONT_SIZE + 10
    entries: list[tuple[str, Colour | None]] = [
        (f"{name.replace('_', ' ')}  {_millilitres(volume)}", colour_of(value))
        for name, (value, volume) in legend.items()
    ]
    places, left, row = [], 0, 0
    for text, colour in [*entries, (caption, None)]:
        needed = line + round(font.getlength(text)) + 2 * _MARGIN
        if left and left + needed > width:
            left, row = 0, row + 1
        places.append((left, row * line, text, colour))
        left += needed
    picture = Image.new("RGB", (width, (row + 1) * line), _BACKGROUND)
    draw = ImageDraw.Draw(picture)
    for x, y, text, colour in places:
        if colour is not None:
            draw.rectangle((x, y + 5, x + _FONT_SIZE, y + 5 + _FONT_SIZE), fill=colour)
        draw.text((x + line, y + line // 2), text, _TEXT, font, anchor="lm")
    return picture


def _millilitres(volume: float) -> str:
    return f"{volume:.0f} ml" if volume >= 100 else f"{volume:.2g} ml" if volume < 1 else f"{volume:.1f} ml"


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_FONT_SIZE)

"""Plain charts as pictures: lines, points and bars between two axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Point = tuple[float, float]

BLUE: Colour = (0, 114, 178)
ORANGE: Colour = (213, 94, 0)
GREEN: Colour = (0, 158, 115)
GRAY: Colour = (150, 150, 150)

_PLOT = (420, 420)
_LEFT, _TOP, _RIGHT, _BOTTOM = 70, 44, 20, 62
_INK: Colour = (30, 30, 30)
_PAPER: Colour = (255, 255, 255)
_GRID: Colour = (226, 226, 226)
_TICKS = 5


@dataclass(frozen=True, kw_only=True)
class Series:
    """One set of values of a chart.

    Attributes:
        points: `(x, y)` in the units of the axes; of bars the left edge and the height.
        colour: Red, green and blue.
        kind: How it is drawn.
        width: Of bars, in units of x.
        name: In the legend; empty for none.
    """

    points: Sequence[Point]
    colour: Colour = BLUE
    kind: Literal["line", "points", "bars", "dashed"] = "line"
    width: float = 0.0
    name: str = ""


def chart(
    series: Sequence[Series],
    *,
    title: str,
    x_name: str,
    y_name: str,
    x_range: tuple[float, float] = (0.0, 1.0),
    y_range: tuple[float, float] = (0.0, 1.0),
) -> Image.Image:
    """Draws a chart.

    Args:
        series: What is drawn, the later above the earlier.
        title: Above the chart.
        x_name: Below it.
        y_name: At the upper end of the left axis.
        x_range: Ends of the axis.
        y_range: Ends of the axis.

    Returns:
        The picture, RGB.
    """
    width, height = _PLOT
    picture = Image.new("RGB", (_LEFT + width + _RIGHT, _TOP + height + _BOTTOM), _PAPER)
    draw = ImageDraw.Draw(picture)
    place = _Place(x_range, y_range)
    _axes(draw, place, title, x_name, y_name)
    for one in series:
        _draw(draw, place, one)
    named = [one for one in series if one.name]
    if named:
        top = _TOP + height - 8 - 18 * len(named)
        draw.rectangle((_LEFT + width - 158, top, _LEFT + width - 4, _TOP + height - 3), fill=_PAPER, outline=_GRID)
    for number, one in enumerate(named):
        y = _TOP + height - 14 - 18 * (len(named) - 1 - number)
        draw.rectangle((_LEFT + width - 150, y - 5, _LEFT + width - 140, y + 5), fill=one.colour)
        draw.text((_LEFT + width - 134, y), one.name, _INK, _font(13), anchor="lm")
    return picture


class _Place:
    def __init__(self, x_range: tuple[float, float], y_range: tuple[float, float]) -> None:
        self.x_range, self.y_range = x_range, y_range

    def __call__(self, point: Point) -> tuple[float, float]:
        (x0, x1), (y0, y1) = self.x_range, self.y_range
        x, y = (point[0] - x0) / ((x1 - x0) or 1), (point[1] - y0) / ((y1 - y0) or 1)
        return _LEFT + min(max(x, 0), 1) * _PLOT[0], _TOP + (1 - min(max(y, 0), 1)) * _PLOT[1]


def _axes(draw: ImageDraw.ImageDraw, place: _Place, title: str, x_name: str, y_name: str) -> None:
    width, height = _PLOT
    for step in range(_TICKS + 1):
        share = step / _TICKS
        x = place.x_range[0] + share * (place.x_range[1] - place.x_range[0])
        y = place.y_range[0] + share * (place.y_range[1] - place.y_range[0])
        across, up = place((x, y))
        draw.line((across, _TOP, across, _TOP + height), _GRID)
        draw.line((_LEFT, up, _LEFT + width, up), _GRID)
        draw.text((across, _TOP + height + 6), f"{x:.3g}", _INK, _font(13), anchor="ma")
        draw.text((_LEFT - 6, up), f"{y:.3g}", _INK, _font(13), anchor="rm")
    draw.rectangle((_LEFT, _TOP, _LEFT + width, _TOP + height), outline=_INK)
    draw.text((_LEFT + width / 2, 6), title, _INK, _font(16), anchor="ma")
    draw.text((_LEFT + width / 2, _TOP + height + 32), x_name, _INK, _font(14), anchor="ma")
    draw.text((8, _TOP - 16), y_name, _INK, _font(14), anchor="lm")


def _draw(draw: ImageDraw.ImageDraw, place: _Place, series: Series) -> None:
    if series.kind == "bars":
        for x, y in series.points:
            (left, top), (right, bottom) = place((x, y)), place((x + series.width, place.y_range[0]))
            if bottom > top:
                draw.rectangle((left, top, right, bottom), fill=series.colour, outline=_PAPER)
        return
    places = [place(point) for point in series.points]
    if series.kind == "points":
        for x, y in places:
            draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=series.colour)
    elif series.kind == "dashed":
        for (x0, y0), (x1, y1) in pairwise(places):
            for dash in range(0, 40, 2):
                a, b = dash / 40, (dash + 1) / 40
                draw.line(
                    (x0 + a * (x1 - x0), y0 + a * (y1 - y0), x0 + b * (x1 - x0), y0 + b * (y1 - y0)), series.colour
                )
    elif len(places) > 1:
        draw.line(places, series.colour, width=3, joint="curve")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)

"""Charts as SVG that takes the page's colours, light or dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Of classes, told apart by the colour-blind too (Okabe and Ito 2008)."""

_TICKS = 5


@dataclass(frozen=True, kw_only=True)
class Range:
    """The ends of an axis, and its ticks.

    Attributes:
        low: In the axis's unit.
        high: Likewise.
        ticks: Round numbers between them.
    """

    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def over(cls, values: Sequence[float], *, zero: bool = False) -> Range:
        """The range that holds values, widened to round numbers.

        Example:
            >>> Range.over([0.0, 3.9]).ticks
            (0.0, 1.0, 2.0, 3.0, 4.0)
        """
        finite = [value for value in (*values, *([0.0] if zero else [])) if math.isfinite(value)] or [0.0]
        low, high = min(finite), max(finite)
        if high - low < 1e-9:
            low, high = low - 0.5, high + 0.5
        step = _round_step((high - low) / (_TICKS - 1))
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        ticks = tuple(round(number * step, 10) for number in range(first, last + 1))
        return cls(low=ticks[0], high=ticks[-1], ticks=ticks)

    def share(self, value: float) -> float:
        """Where a value lies, 0 at the low end and 1 at the high one; beyond them at the end."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)


UNIT = Range(low=0.0, high=1.0, ticks=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0))
"""Of scores between 0 and 1."""


@dataclass
class Chart:
    """A plot area with an axis at the left and one below, and what is drawn in it.

    Attributes:
        x: Of the lower axis.
        y: Of the left axis; None for rows with names of their own.
        width: Of the plot area, in pixels.
        height: Likewise.
        left: Room for the numbers or names at the left.
    """

    x: Range
    y: Range | None
    width: int = 420
    height: int = 260
    left: int = 56
    parts: list[Markup] = field(default_factory=list)

    def across(self, value: float) -> float:
        """The pixel of a value of the lower axis."""
        return round(self.left + self.width * self.x.share(value), 1)

    def up(self, value: float) -> float:
        """The pixel of a value of the left axis."""
        return round(_TOP + self.height * (1 - (self.y or UNIT).share(value)), 1)

    def dot(self, x: float, pixel: float, colour: str, says: str, *, radius: float = 4) -> None:
        """Draws a value as a dot that says what it is when it is pointed at."""
        self.parts.append(
            Markup('<circle cx="{}" cy="{}" r="{}" fill="{}" fill-opacity=".75"><title>{}</title></circle>').format(
                self.across(x), pixel, radius, colour, says
            )
        )

    def bar(self, low: float, high: float, pixel: float, colour: str) -> None:
        """Draws an interval along the lower axis."""
        self.parts.append(
            Markup('<line x1="{}" x2="{}" y1="{}" y2="{}" stroke="{}" stroke-width="3"/>').format(
                self.across(low), self.across(high), pixel, pixel, colour
            )
        )

    def mark(self, x: float, pixel: float, colour: str) -> None:
        """Draws a mean: an upright stroke across an interval."""
        place = self.across(x)
        self.parts.append(
            Markup('<line x1="{}" x2="{}" y1="{}" y2="{}" stroke="{}" stroke-width="4"/>').format(
                place, place, pixel - 9, pixel + 9, colour
            )
        )

    def level(self, y: float, text: str, *, dashed: bool) -> None:
        """Draws a line across the plot at a height, with its number above its end."""
        pixel = self.up(y)
        self.parts.append(
            Markup(
                '<line class="level" x1="{}" x2="{}" y1="{}" y2="{}"{}/><text x="{}" y="{}" text-anchor="end">{}</text>'
            ).format(
                self.left, self.left + self.width, pixel, pixel, Markup(' stroke-dasharray="6 4"') if dashed else "",
                self.left + self.width - 4, pixel - 4, text,
            )
        )  # fmt: skip

    def row_name(self, pixel: float, text: str) -> None:
        """Writes the name of a row at the left."""
        shown = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
        self.parts.append(
            Markup('<text x="{}" y="{}" text-anchor="end"><title>{}</title>{}</text>').format(
                self.left - 8, pixel + 4, text, shown
            )
        )

    def svg(self, title: str, x_name: str, y_name: str = "") -> Markup:
        """The chart as an element; `title` is what readers without sight are told."""
        width, height = self.left + self.width + 16, _TOP + self.height + 44
        return Markup(
            '<svg class="chart" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{title}">'
            "{axes}{parts}<text x=\"{mid}\" y=\"{low}\" text-anchor=\"middle\">{x_name}</text>"
            '<text x="4" y="12">{y_name}</text></svg>'
        ).format(
            w=width, h=height, title=title, axes=self._axes(), parts=Markup("").join(self.parts),
            mid=self.left + self.width / 2, low=height - 6, x_name=x_name, y_name=y_name,
        )  # fmt: skip

    def _axes(self) -> Markup:
        bottom = _TOP + self.height
        lines = []
        for tick in self.x.ticks:
            place = self.across(tick)
            lines.append(_line(place, place, _TOP, bottom) + _text(place, bottom + 18, "middle", f"{tick:g}"))
        for tick in self.y.ticks if self.y else ():
            place = self.up(tick)
            lines.append(
                _line(self.left, self.left + self.width, place, place)
                + _text(self.left - 6, place + 4, "end", f"{tick:g}")
            )
        return Markup("").join(lines)


_TOP = 22
_LONGEST = 26


def _line(x1: float, x2: float, y1: float, y2: float) -> Markup:
    return Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(x1, x2, y1, y2)


def _text(x: float, y: float, anchor: str, text: str) -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(x, y, anchor, text)


def _round_step(rough: float) -> float:
    """The smallest of 1, 2, 2.5 and 5 times a power of ten that is not below a step."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))

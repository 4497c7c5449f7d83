"""Values over the slices of a volume, as lines to be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: The plot's box in the picture: left, top, right, bottom.
PLOT = (44.0, 10.0, 510.0, 150.0)
#: Size of the picture.
SIZE = (520, 188)
_DASHES = ("", "7 4", "2 4", "10 4 2 4")


@dataclass(frozen=True, kw_only=True)
class SliceSeries:
    """One value a slice.

    Attributes:
        name: In the legend.
        values: One a slice; None where there is none.
        colour: As CSS writes it.
    """

    name: str
    values: Sequence[float | None]
    colour: str


@dataclass(frozen=True, kw_only=True)
class ChartLine:
    """A line of the picture.

    Attributes:
        name: In the legend.
        colour: As CSS writes it.
        dash: Its pattern, so that lines differ without colour too.
        path: As SVG writes it.
    """

    name: str
    colour: str
    dash: str
    path: str


@dataclass(frozen=True, kw_only=True)
class SliceChart:
    """A chart over slices.

    Attributes:
        title: What it shows.
        y_name: What stands at its left axis, with its unit.
        lines: The series.
        shadow: A filled shape behind them, of a scale of its own; empty for none.
        shadow_name: In the legend.
        x_ticks: Places and texts.
        y_ticks: The same.
        last: The last slice; the first one is 0.
        ends: What lies beyond slice 0 and beyond the last one.
        level: Height of a dashed level line; None for none.
        level_name: In the legend.
    """

    title: str
    y_name: str
    lines: list[ChartLine]
    shadow: str
    shadow_name: str
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    last: int
    ends: tuple[str, str]
    level: float | None = None
    level_name: str = ""
    plot: tuple[float, float, float, float] = PLOT
    size: tuple[int, int] = SIZE


def slice_chart(
    series: Sequence[SliceSeries],
    *,
    title: str,
    y_name: str,
    ends: tuple[str, str],
    highest: float | None = None,
    shadow: SliceSeries | None = None,
    level: tuple[str, float] | None = None,
) -> SliceChart:
    """Lay out a chart.

    Args:
        series: The lines, all of one length.
        title: What it shows.
        y_name: Of the left axis.
        ends: What lies beyond slice 0 and beyond the last slice, such as feet and head.
        highest: Value at the upper end of the axis; a round one above all values where None.
        shadow: Drawn behind, scaled to four fifths of the height.
        level: Name and value of a level line.
    """
    count = len(series[0].values)
    known = [value for one in series for value in one.values if value is not None]
    ticks = _round_ticks(max([*known, 0.0])) if highest is None else list(np.linspace(0, highest, 5))
    place = _Place(last=max(1, count - 1), highest=ticks[-1])
    return SliceChart(
        title=title,
        y_name=y_name,
        lines=[
            ChartLine(name=one.name, colour=one.colour, dash=_DASHES[row % len(_DASHES)], path=_path(one.values, place))
            for row, one in enumerate(series)
        ],
        shadow="" if shadow is None else _shape(shadow.values, count),
        shadow_name="" if shadow is None else shadow.name,
        x_ticks=[(place.x(index), str(index)) for index in _slice_ticks(count)],
        y_ticks=[(place.y(value), f"{value:g}") for value in ticks],
        last=count - 1,
        ends=ends,
        level=None if level is None else place.y(level[1]),
        level_name="" if level is None else level[0],
    )


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a value of a slice lies in the picture."""

    last: int
    highest: float

    def x(self, index: float) -> float:
        left, _, right, _ = PLOT
        return round(left + (right - left) * index / self.last, 1)

    def y(self, value: float) -> float:
        _, top, _, bottom = PLOT
        return round(bottom - (bottom - top) * value / self.highest, 1)


def _path(values: Sequence[float | None], place: _Place) -> str:
    """A path that is interrupted where there is no value; a value alone is a dot."""
    steps, pen_down = [], False
    for index, value in enumerate(values):
        if value is None:
            pen_down = False
            continue
        point = f"{place.x(index)} {place.y(value)}"
        steps.append(f"L{point}" if pen_down else f"M{point}h0")
        pen_down = True
    return "".join(steps)


def _shape(values: Sequence[float | None], count: int) -> str:
    highest = max((value for value in values if value is not None), default=0.0)
    if highest <= 0:
        return ""
    place = _Place(last=max(1, count - 1), highest=1.25 * highest)
    points = "".join(f"L{place.x(index)} {place.y(value or 0.0)}" for index, value in enumerate(values))
    return f"M{place.x(0)} {PLOT[3]}{points}L{place.x(count - 1)} {PLOT[3]}Z"


def _round_ticks(highest: float) -> list[float]:
    """From 0 in round steps to a value that is not below the highest."""
    if highest <= 0:
        return [0.0, 1.0]
    magnitude = 10.0 ** np.floor(np.log10(highest / 4))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude * 4 >= highest)
    return [round(step * row, 12) for row in range(int(np.ceil(highest / step - 1e-9)) + 1)]


def _slice_ticks(count: int) -> list[int]:
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**9) if count <= 8 * step)
    return list(range(0, count, step))

"""The six zones of the lungs as a diagram: where each lies, how much of it is involved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.reports.wording import NO_VALUE, number

#: From no point to 4, light to dark, told apart in gray and by colour-blind readers too; and the ink upon each.
POINT_COLOURS: tuple[tuple[str, str], ...] = (
    ("#eef2f5", "#17202a"),
    ("#fde2b9", "#17202a"),
    ("#f9b45e", "#17202a"),
    ("#e07b2e", "#17202a"),
    ("#8c2d04", "#ffffff"),
)
_UNKNOWN = ("#c9d1d8", "#17202a")
_THIRDS = ("upper", "middle", "lower")


@dataclass(frozen=True, kw_only=True)
class DrawnZone:
    """One zone.

    Attributes:
        side: `right` or `left`, the patient's.
        third: `upper`, `middle` or `lower`.
        row: 0 for the upper third.
        percent: How much of it is involved.
        points: Its points.
        volume: Its volume in millilitres.
        fill: Its colour.
        ink: The colour of its letters.
    """

    side: str
    third: str
    row: int
    percent: str
    points: str
    volume: str
    fill: str
    ink: str


def draw_zones(zones: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[DrawnZone]:
    """Make the zones of the diagram.

    Args:
        zones: As in ``measurements.json``.

    Returns:
        The right lung's zones, then the left one's.
    """
    return [_zone(side, row, zones[side][third]) for side in ("right", "left") for row, third in enumerate(_THIRDS)]


def _zone(side: str, row: int, zone: Mapping[str, Any]) -> DrawnZone:
    points = zone["points"]
    fill, ink = _UNKNOWN if points is None else POINT_COLOURS[points]
    percent = number(zone["percent_involved"])
    return DrawnZone(
        side=side,
        third=_THIRDS[row],
        row=row,
        percent=percent if percent == NO_VALUE else f"{percent} %",
        points=number(points),
        volume=number(zone["volume_ml"], 0),
        fill=fill,
        ink=ink,
    )

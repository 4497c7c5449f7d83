"""Rows of the report's tables, from the object of ``measurements.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.reports.wording import NO_VALUE, css_colour, number, plain_name

#: Columns of :func:`lesion_rows`, after the name.
LESION_COLUMNS = (
    "Volume ml",
    "Of both lungs %",
    "Of right lung %",
    "Of left lung %",
    "HU mean ± SD",
    "Parts",
    "Largest ml",
    "Slices",
)
#: Columns of :func:`lung_rows`, after the name.
LUNG_COLUMNS = ("Volume ml", "Mean HU", "Below −950 HU %", "−700 to −300 HU %")
_LUNGS = (("right", "Right"), ("left", "Left"), ("total", "Both"))


@dataclass(frozen=True, kw_only=True)
class LesionRow:
    """One class.

    Attributes:
        name: The class's name.
        colour: As CSS writes it.
        cells: Texts under :data:`LESION_COLUMNS`.
    """

    name: str
    colour: str
    cells: list[str]


def lesion_rows(measured: Mapping[str, Any], classes: Mapping[str, int]) -> list[LesionRow]:
    """Make a row for each class.

    Args:
        measured: The object of ``measurements.json``.
        classes: Class name to label value.
    """
    return [
        LesionRow(name=plain_name(name), colour=css_colour(classes[name]), cells=_lesion_cells(lesion))
        for name, lesion in measured["lesions"].items()
    ]


def lung_rows(measured: Mapping[str, Any]) -> list[list[str]]:
    """Make the rows of the right lung, the left one and both.

    Args:
        measured: The object of ``measurements.json``.
    """
    rows = []
    for key, name in _LUNGS:
        density = measured["lung_density"][key]
        figures = (
            number(measured["lung_volume_ml"][key], 0),
            number(density["mean_hu"], 0),
            number(density["percent_below_minus_950_hu"]),
            number(density["percent_minus_700_to_minus_300_hu"]),
        )
        rows.append([name, *figures])
    return rows


def _lesion_cells(lesion: Mapping[str, Any]) -> list[str]:
    slices, mean = lesion["slices"], lesion["mean_hu"]
    return [
        number(lesion["volume_ml"], 2 if lesion["volume_ml"] < 10 else 1),
        number(lesion["percent_of_lung"], 2),
        number(lesion["percent_of_right_lung"], 2),
        number(lesion["percent_of_left_lung"], 2),
        NO_VALUE if mean is None else f"{number(mean, 0)} ± {number(lesion['std_hu'], 0)}",
        number(lesion["components"]),
        number(lesion["largest_component_ml"], 2 if lesion["largest_component_ml"] < 10 else 1),
        NO_VALUE if slices is None else f"{slices['first']} to {slices['last']}",
    ]

"""Columns of the list of cases, found in the columns of ``cases.csv``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.reports.wording import number, plain_name


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        key: In ``cases.csv``.
        name: At its head.
        digits: After the point.
        weight: More where it says more of how urgent a case is; 0 where it says nothing.
        text: Whether it holds words.
        highest: Of a scale; None where there is none.
    """

    key: str
    name: str
    digits: int = 1
    weight: int = 0
    text: bool = False
    highest: int | None = None

    def value(self, row: Mapping[str, str]) -> float | str | None:
        """Read a row's cell; None where it is empty or no number."""
        cell = row.get(self.key) or ""
        if self.text:
            return cell or None
        try:
            value = float(cell)
        except ValueError:
            return None
        return value if math.isfinite(value) else None

    def cell(self, value: float | str | None) -> tuple[str, str]:
        """Give what the column is sorted by, and what is shown."""
        if value is None:
            return "", number(None)
        if isinstance(value, str):
            return value, value
        return f"{value:.6g}", number(int(value) if self.digits == 0 else value, self.digits)


def columns_of(table: Sequence[Mapping[str, str]]) -> list[Column]:
    """Choose the columns that a table has something for.

    Args:
        table: The rows of ``cases.csv``.

    Returns:
        The columns, in the order in which they are shown.
    """
    present = {key for row in table for key, cell in row.items() if cell}
    return [column for column in _known(table) if column.key in present]


def _known(table: Sequence[Mapping[str, str]]) -> Iterator[Column]:
    keys = list(dict.fromkeys(key for row in table for key in row))
    yield Column(key="severity", name="Severity of 24", digits=0, weight=5, highest=24)
    yield Column(key="severity_grade", name="Grade CT-", digits=0, weight=3)
    yield Column(key="percent_of_lung_involved", name="Lung involved %", weight=4)
    for key in keys:
        name = key.removesuffix("_ml")
        if key.endswith("_ml") and f"{name}_components" in keys:
            yield Column(key=key, name=f"{plain_name(name)} ml", weight=1)
    yield Column(key="lung_volume_ml", name="Lungs ml", digits=0)
    classes = [key for key in keys if key.startswith("p_")]
    for row, key in enumerate(classes):
        # The first class is the one without finding.
        yield Column(key=key, name=f"P({key[2:]})", digits=2, weight=2 if row else 0)
    yield Column(key="predicted", name="Predicted", text=True)
    yield Column(key="slices_with_lung", name="Slices with lung", digits=0)
    yield Column(key="seconds", name="Seconds")

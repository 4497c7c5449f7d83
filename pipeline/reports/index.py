"""`index.html` of a run: its cases in the order of severity, and why others failed."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.export.provenance import read_provenance
from pipeline.export.table import CaseTable
from pipeline.reports.index_columns import Column, columns_of
from pipeline.reports.page import write_page
from pipeline.reports.thumbnails import thumbnail_of
from transforms.errors import OutputError

logger = logging.getLogger(__name__)

INDEX_FILE = "index.html"
DONE = "done"
FAILED = "failed"

_LINKED = ("report.html", "preview.png", "curve.png")


@dataclass(frozen=True, kw_only=True)
class IndexRow:
    """One case of the list.

    Attributes:
        case: Its name.
        link: Its page, relative to the list; empty where there is none.
        status: `done`, `failed`, or what else the table says.
        said: Why it failed, or what was noticed.
        thumbnail: The address of a small picture; empty where there is none.
        cells: `(sort value, text)` under the columns.
        rank: More for what is to be looked at first.
    """

    case: str
    link: str
    status: str
    said: list[str]
    thumbnail: str
    cells: list[tuple[str, str]]
    rank: tuple[float, ...] = field(default=())


def write_index(output_dir: str | PathLike[str]) -> Path | None:
    """Write the list of a run's cases, the most severe first.

    It is made anew from `cases.csv` and what lies in the cases' folders; what is missing or broken there is left out.

    Args:
        output_dir: The folder with `cases.csv`.

    Returns:
        The file; None where there are no cases yet.

    Raises:
        OutputError: When it cannot be written, or `cases.csv` is no table of cases.
    """
    folder = Path(output_dir)
    table = CaseTable(folder / "cases.csv").rows()
    if not table:
        return None
    columns = columns_of(table)
    rows = sorted((_row(folder, row, columns) for row in table), key=lambda row: row.rank, reverse=True)
    counts = Counter(row.status for row in rows)
    write_page(
        folder / INDEX_FILE,
        "index.html",
        rows=rows,
        columns=columns,
        counts=counts,
        failed=sum(count for status, count in counts.items() if status != DONE),
        remarked=sum(bool(row.said) for row in rows if row.status == DONE),
        started=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    )
    return folder / INDEX_FILE


class RunIndex:
    """Keeps the list of a run fresh while it goes on, without taking much of its time.

    Args:
        output_dir: The folder with `cases.csv`.
        seconds_between: How long a list may be old, at least; a list that took long to write is written more rarely.
    """

    def __init__(self, output_dir: str | PathLike[str], seconds_between: float = 30.0) -> None:
        self.folder = Path(output_dir)
        self.seconds_between = seconds_between
        self._next = 0.0

    def note(self) -> None:
        """Tell that a case has come to its end: the list is written where it is due."""
        if time.monotonic() >= self._next:
            self.write()

    def write(self) -> None:
        """Write the list now; where that fails, it is said, and the run goes on."""
        begun = time.monotonic()
        try:
            write_index(self.folder)
        except OutputError as error:
            logger.warning("the list of cases cannot be written: %s", error)
        except Exception:  # boundary: a page about the results must not cost a run its results
            logger.warning("the list of cases cannot be written", exc_info=True)
        ended = time.monotonic()
        self._next = ended + max(self.seconds_between, 20 * (ended - begun))


def _row(folder: Path, row: dict[str, str], columns: list[Column]) -> IndexRow:
    case, status = row["case"], row.get("status") or "unknown"
    target = folder / case
    has_results = status != FAILED
    values = [column.value(row) for column in columns]
    return IndexRow(
        case=case,
        link=_link(target, case) if has_results else "",
        status=status,
        said=[row["error"]] if row.get("error") else _findings(target),
        thumbnail=thumbnail_of(target) if has_results else "",
        cells=[column.cell(value) for column, value in zip(columns, values, strict=True)],
        rank=(has_results, *(-1.0 if value is None else value for value in _ranked(columns, values))),
    )


def _ranked(columns: list[Column], values: list[float | str | None]) -> list[float | None]:
    """The values that say how urgent a case is, the weightiest first."""
    numbers = [
        (column.weight, value)
        for column, value in zip(columns, values, strict=True)
        if column.weight and not isinstance(value, str)
    ]
    return [value for _, value in sorted(numbers, key=lambda pair: -pair[0])]


def _link(target: Path, case: str) -> str:
    present = next((name for name in _LINKED if (target / name).is_file()), None)
    # A name with a colon would be read as an address of its own.
    return "" if present is None else f"./{quote(case)}/{present}"


def _findings(target: Path) -> list[str]:
    record: dict[str, Any] = read_provenance(target) or {}
    given = record.get("input")
    repairs = given.get("repairs") if isinstance(given, dict) else None
    found = [*(record.get("findings") or []), *(repairs or [])] if isinstance(record.get("findings"), list) else []
    return [one if isinstance(one, str) else json.dumps(one) for one in found]

"""Studies listed in a CSV file."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from transforms.errors import DataListError, NotFoundError

MAX_NAMED = 5
"""How many faults an error names before it only counts them."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One study of a list."""

    path: Path
    case: str | None = None
    series_uid: str | None = None
    address: str | None = None
    """Of a series in an archive; `path` then only stands for it."""


def read_study_table(table: Path) -> list[Row]:
    """The rows of a CSV with a column `path` (relative to the file), and perhaps `case` and `series_uid`.

    Raises:
        DataListError: When it is no such table, or paths are missing or do not exist; all rows are checked first.
        NotFoundError: When it has no rows.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            lines = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataListError("the table cannot be read", where=table, remedy="Save it as CSV in UTF-8") from error
    columns = reader.fieldnames or []
    if "path" not in columns:
        raise DataListError(
            "the table has no column `path`",
            where=table,
            found=", ".join(columns) or "an empty file",
            expected="path, and perhaps case and series_uid",
            remedy="Name the columns in the first line",
        )
    if not lines:
        raise NotFoundError("the table has no rows", where=table, remedy="List a study in each line")
    rows = [_row(line, table) for line in lines]
    _check_present(rows, table)
    return rows


def _row(line: dict[str, str], table: Path) -> Row:
    path, case, series_uid = ((line.get(column) or "").strip() for column in ("path", "case", "series_uid"))
    return Row(path=table.parent / path if path else Path(), case=case or None, series_uid=series_uid or None)


def _check_present(rows: list[Row], table: Path) -> None:
    faults = [
        f"row {number}: " + (f"{row.path} does not exist" if row.path != Path() else "no path")
        for number, row in enumerate(rows, start=2)
        if row.path == Path() or not row.path.exists()
    ]
    if faults:
        raise DataListError(
            f"{len(faults)} of {len(rows)} rows cannot be used",
            where=table,
            found="; ".join(faults[:MAX_NAMED]),
            expected="paths relative to the table, or absolute ones",
            remedy="Correct the paths",
        )

"""One row a case in ``cases.csv``, safe against interruption and against several writers."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import asdict
from os import PathLike
from pathlib import Path

from pipeline.export.measurements import LesionMeasurement, Measurements
from pipeline.export.shared_table import SharedTable
from transforms.errors import OutputError

CellValue = str | float | int | None

#: The table of all cases.
CASES_TABLE = "cases.csv"

#: The columns that every table begins with.
FIRST_COLUMNS = ("case", "status", "error", "seconds")


class CaseTable:
    """A CSV with one row a case; a case written again replaces its row where it stands.

    Processes and threads may write to one table, and a reader never sees half of it. Columns keep their order; new ones
    are added at the end.

    Args:
        path: The CSV; its folder is created where missing.

    Example:
        >>> import tempfile
        >>> table = CaseTable(Path(tempfile.mkdtemp()) / "cases.csv")
        >>> table.put({"case": "a", "status": "failed", "error": "disk full"})
        >>> table.put({"case": "a", "status": "done", "seconds": 2.5})
        >>> table.rows()
        [{'case': 'a', 'status': 'done', 'error': '', 'seconds': '2.5'}]
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        self._table = SharedTable(self.path, FIRST_COLUMNS)

    def put(self, row: Mapping[str, CellValue], *, at_once: bool = True) -> None:
        """Add a case's row, or replace it.

        Args:
            row: Column to value, ``case`` among them; None is an empty cell. Line breaks become spaces.
            at_once: Write the file now; else from time to time, and at the latest by :meth:`flush`.

        Raises:
            OutputError: When the table cannot be written, or a file of that name is no table of cases.
        """
        cells = {column: _cell(value) for column, value in row.items()}
        self._check()
        self._table.put(cells["case"], [cells], at_once=at_once)

    def flush(self) -> None:
        """Write the rows that wait.

        Raises:
            OutputError: When the table cannot be written.
        """
        self._table.flush()

    def has(self, case: str, *, status: str) -> bool:
        """Whether the file has, or is about to have, a row of a case with this status."""
        rows = self._table.rows_of(case)
        return [row.get("status") for row in rows] == [status]

    def rows(self) -> list[dict[str, str]]:
        """Read the table.

        Returns:
            Column to text, a dictionary a case, in the order of the file; empty where there is no file.

        Raises:
            OutputError: When a file of that name is no table of cases.
        """
        self._check()
        return [dict(row) for rows in self._table.rows_of_cases().values() for row in rows]

    def _check(self) -> None:
        if not self.path.exists():
            return
        with self.path.open(newline="", encoding="utf-8") as file:
            header = next(csv.reader(file), [])
        if "case" not in header:
            raise OutputError(
                "is not a table of cases",
                where=self.path,
                expected="a CSV with a column `case`",
                remedy="Move it away, or choose another output folder",
            )


def done_row(measurements: Measurements, *, seconds: float, whole: bool = True) -> dict[str, CellValue]:
    """Make the row of a case that was done.

    Args:
        measurements: The case's numbers.
        seconds: How long it took.
        whole: Whether all was measured; else there are the volumes of the classes alone.

    Returns:
        Column to value: the first columns, the lungs, the involvement, the severity's score, the volume of each class
        in millilitres, and then the other figures that are one number; docs/measurements.md lists them.
    """
    severity = measurements.severity
    first: dict[str, CellValue] = {
        "case": measurements.case,
        "status": "done",
        "error": "",
        "seconds": round(seconds, 3),
    }
    volumes = _by_lesion(measurements, "_ml", lambda lesion: lesion.volume_ml)
    if not whole:
        return {**first, **volumes}
    return {
        **first,
        "lung_volume_ml": measurements.lung_volume_ml.total,
        "percent_of_lung_involved": measurements.percent_of_lung_involved,
        "severity": None if severity is None else severity.score,
        **volumes,
        **_more(measurements),
    }


def _by_lesion(
    measurements: Measurements, suffix: str, value_of: Callable[[LesionMeasurement], CellValue]
) -> dict[str, CellValue]:
    return {f"{name.replace(' ', '_')}{suffix}": value_of(lesion) for name, lesion in measurements.lesions.items()}


def _more(measurements: Measurements) -> dict[str, CellValue]:
    volume, density, severity = measurements.lung_volume_ml, measurements.lung_density.total, measurements.severity
    return {
        "severity_grade": None if severity is None else severity.grade,
        "left_lung_ml": volume.left,
        "right_lung_ml": volume.right,
        "lung_mean_hu": density.mean_hu,
        "percent_below_minus_950_hu": density.percent_below_minus_950_hu,
        "percent_minus_700_to_minus_300_hu": density.percent_minus_700_to_minus_300_hu,
        **{
            f"{side}_{third}_percent_involved": zone["percent_involved"]
            for side, thirds in asdict(measurements.zones).items()
            for third, zone in thirds.items()
        },
        **_by_lesion(measurements, "_percent_of_lung", lambda lesion: lesion.percent_of_lung),
        **_by_lesion(measurements, "_percent_of_left_lung", lambda lesion: lesion.percent_of_left_lung),
        **_by_lesion(measurements, "_percent_of_right_lung", lambda lesion: lesion.percent_of_right_lung),
        **_by_lesion(measurements, "_mean_hu", lambda lesion: lesion.mean_hu),
        **_by_lesion(measurements, "_std_hu", lambda lesion: lesion.std_hu),
        **_by_lesion(measurements, "_components", lambda lesion: lesion.components),
        **_by_lesion(measurements, "_largest_ml", lambda lesion: lesion.largest_component_ml),
        **_by_lesion(measurements, "_first_slice", lambda lesion: lesion.slices.first if lesion.slices else None),
        **_by_lesion(measurements, "_last_slice", lambda lesion: lesion.slices.last if lesion.slices else None),
    }


def failed_row(case: str, error: BaseException | str, *, seconds: float) -> dict[str, CellValue]:
    """Make the row of a case that failed.

    Args:
        case: The case's name.
        error: What went wrong.
        seconds: How long it took to fail.

    Returns:
        Column to value: the first columns.
    """
    text = str(error) or type(error).__name__
    return {"case": case, "status": "failed", "error": text, "seconds": round(seconds, 3)}


def _cell(value: CellValue) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return str(round(value, 6))
    return " ".join(str(value).split())

"""The table of all slices of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.export.shared_table import Rows, SharedTable

PREDICTIONS_TABLE = "predictions.csv"


class PredictionTable:
    """`predictions.csv`: the rows of each case; a case that is classified again replaces its own.

    Args:
        path: The CSV.
        classes: Names, in the order of their values.
    """

    def __init__(self, path: str | Path, classes: Sequence[str]) -> None:
        columns = ["case", "slice", *(f"p_{name}" for name in classes), "predicted", "note"]
        self._table = SharedTable(path, columns, fixed=True)

    def put(self, case: str, rows: Rows) -> None:
        """Takes the rows of a case, and writes the file from time to time."""
        self._table.put(case, rows)

    def put_failure(self, case: str, error: BaseException) -> None:
        """Takes the row of a case that failed."""
        self.put(case, [{"case": case, "note": " ".join(str(error).split()) or type(error).__name__}])

    def has(self, case: str, rows: int) -> bool:
        """Whether the file has, or is about to have, so many rows of a case."""
        return len(self._table.rows_of(case)) == rows

    def flush(self) -> None:
        """Writes what waits.

        Raises:
            OutputError: When the file cannot be written.
        """
        self._table.flush()

"""The table of all slices of a run."""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.export.files import make_folder, replacing

SECONDS_BETWEEN = 1.0
"""How long rows may wait to be written: thousands of pictures must not write the table thousands of times."""


class PredictionTable:
    """`predictions.csv`: the rows of each case; a case that is classified again replaces its own.

    The file is replaced as a whole, so a reader never sees half of it.

    Args:
        path: The CSV.
        classes: Names, in the order of their values.
    """

    def __init__(self, path: str | Path, classes: Sequence[str]) -> None:
        self.path = Path(path)
        self.columns = ["case", "slice", *(f"p_{name}" for name in classes), "predicted", "note"]
        self._cases: dict[str, list[dict[str, str]]] | None = None
        self._written = 0.0

    def put(self, case: str, rows: Sequence[dict[str, str]]) -> None:
        """Takes the rows of a case, and writes the file from time to time."""
        if self._cases is None:
            self._cases = self._present()
        self._cases[case] = list(rows)
        if time.monotonic() - self._written > SECONDS_BETWEEN:
            self.flush()

    def put_failure(self, case: str, error: BaseException) -> None:
        """Takes the row of a case that failed."""
        self.put(case, [{"case": case, "note": " ".join(str(error).split()) or type(error).__name__}])

    def flush(self) -> None:
        """Writes the file.

        Raises:
            OutputError: When it cannot be written.
        """
        if self._cases is None:
            return
        make_folder(self.path.parent)
        with replacing(self.path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns, restval="", extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            for rows in self._cases.values():
                writer.writerows(rows)
        self._written = time.monotonic()

    def _present(self) -> dict[str, list[dict[str, str]]]:
        """The rows of an earlier run into the same folder with the same classes."""
        cases: dict[str, list[dict[str, str]]] = {}
        if self.path.is_file():
            with self.path.open(newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file, restval="")
                for row in reader if reader.fieldnames == self.columns else ():
                    cases.setdefault(row["case"], []).append(row)
        return cases

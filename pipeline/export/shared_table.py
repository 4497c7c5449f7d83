"""A CSV that several processes write to: rows of a case replace those it had."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from threading import RLock

from filelock import FileLock

from pipeline.export.files import cannot_write, make_folder, replacing

SECONDS_BETWEEN = 1.0
"""How long rows may wait to be written: thousands of pictures must not write the table thousands of times."""

Rows = Sequence[Mapping[str, str]]


class SharedTable:
    """The rows of cases, safe against interruption and against several writers.

    The file is read anew, changed and replaced while a lock beside it is held, so threads, processes and machines may
    write to one table, and a reader never sees half of it. The kernel gives the lock of a killed process back.

    Args:
        path: The CSV; its folder is created where missing. One column is `case`.
        columns: Those that it begins with.
        fixed: No others are added, and the rows of a file with others are not kept.
    """

    def __init__(self, path: str | PathLike[str], columns: Sequence[str], *, fixed: bool = False) -> None:
        self.path = Path(path)
        self.columns = list(columns)
        self.fixed = fixed
        self._waiting: dict[str, Rows] = {}
        self._present: dict[str, Rows] = {}
        self._read_at: tuple[int, ...] | None = None
        self._written = float("-inf")
        self._threads = RLock()

    def put(self, case: str, rows: Rows, *, at_once: bool = False) -> None:
        """Takes the rows of a case; the file is written from time to time.

        Args:
            case: The case's name.
            rows: Column to text.
            at_once: The file is written now.

        Raises:
            OutputError: When it cannot be written.
        """
        with self._threads:
            self._waiting[case] = rows
        if at_once or time.monotonic() - self._written > SECONDS_BETWEEN:
            self.flush()

    def flush(self) -> None:
        """Writes what waits.

        Raises:
            OutputError: When the file cannot be written.
        """
        with self._threads:
            if not self._waiting:
                return
            make_folder(self.path.parent)
            with self._locked():
                self._sweep()
                cases = self.rows_of_cases()
                # A case's former rows go: a failed case must not keep the numbers of an earlier success.
                cases |= self._waiting
                self._rewrite(cases)
            self._waiting = {}
            self._written = time.monotonic()

    def rows_of_cases(self) -> dict[str, Rows]:
        """The rows in the file, in its order; those of a table with other columns only where these may grow."""
        present = self._header()
        if not present or (self.fixed and present != self.columns):
            return {}
        cases: dict[str, list[Mapping[str, str]]] = {}
        with self.path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file, restval="", restkey=None):
                cases.setdefault(row["case"], []).append(row)
        return dict(cases)

    def rows_of(self, case: str) -> Rows:
        """The rows of one case that the file has, or is about to have."""
        with self._threads:
            if case in self._waiting:
                return self._waiting[case]
            present = self.path.stat() if self.path.exists() else None
            stamp = present and (present.st_mtime_ns, present.st_size, present.st_ino)
            if stamp != self._read_at:  # thousands of cases that are done already ask one after the other
                self._present, self._read_at = self.rows_of_cases(), stamp
            return self._present.get(case, [])

    def _header(self) -> list[str]:
        if not self.path.exists():
            return []
        with self.path.open(newline="", encoding="utf-8") as file:
            return next(csv.reader(file), [])

    def _rewrite(self, cases: Mapping[str, Rows]) -> None:
        given = [column for rows in self._waiting.values() for row in rows for column in row]
        columns = self.columns if self.fixed else list(dict.fromkeys([*(self._header() or self.columns), *given]))
        with replacing(self.path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            for rows in cases.values():
                writer.writerows(rows)

    def _sweep(self) -> None:
        """Removes what a writer left that was killed: whoever holds the lock is the only one."""
        for left in self.path.parent.glob(f".{self.path.stem}-????????{self.path.suffix}"):
            left.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # A file of its own: the table itself is replaced, and a lock on a replaced file locks nothing.
        lock = self.path.with_name(f".{self.path.name}.lock")
        try:
            held = FileLock(lock).acquire()
        except OSError as error:
            raise cannot_write(lock, error) from error
        with held:
            yield

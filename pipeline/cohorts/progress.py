"""How far a run over cases is: one bar on a terminal, log lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from threading import RLock
from typing import Any

from tqdm import tqdm

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 5.0
"""How often a log without a bar says how far the run is: thousands of pictures must not give thousands of lines."""

_BAR = "{desc}{percentage:3.0f}%|{bar}| {postfix[0]} [{elapsed}<{remaining}]"


class RunStoppedError(BaseException):
    """The run was interrupted: what is being computed is not wanted any more. No case's failure."""


class CaseProgress:
    """One bar for all cases of a run, with the stage of the latest and the time left; log lines elsewhere.

    An evaluator calls :meth:`begin`, :meth:`stage`, :meth:`finished` and :meth:`close`. An inferer gets the object as
    `progress` and calls it with the parts (patches, slices) that are done; by itself, without an evaluator, the bar
    counts these.

    Args:
        description: What is counted, where no evaluator says which stage it is.
        bar: Whether a bar is drawn; by default on a terminal.
    """

    def __init__(self, description: str = "network", *, bar: bool | None = None) -> None:
        self.description = description
        self._draw = sys.stderr.isatty() if bar is None else bar
        self._bar: Any = None
        self._lock = RLock()
        self._stopped = False
        self._done = self._worked = 0
        self._total: int | None = None  # until someone counts cases
        self._begun = self._said = time.monotonic()
        self._stage = ""

    def begin(self, cases: int) -> None:
        """A run over so many cases begins."""
        with self._lock:
            self._total, self._done, self._worked, self._stopped = cases, 0, 0, False
            self._begun = self._said = time.monotonic()
            if self._draw:
                postfix: Any = [f"0/{cases} cases"]  # its stubs know no list
                self._bar = tqdm(total=cases, bar_format=_BAR, postfix=postfix, smoothing=0.1)

    def stage(self, name: str, case: str | None = None) -> None:
        """A stage begins: `read`, `network`, `write`, …; of the case before where none is named."""
        logger.debug("%s", name, extra={"case": case, "stage": name})
        with self._lock:
            self._stage = f"{case} {name}" if case else name
            self._show()

    def __call__(self, done: int, total: int) -> None:
        """Shows that `done` of `total` parts of the current stage are through.

        Raises:
            RunStoppedError: When the run was interrupted.
        """
        if self._stopped:
            raise RunStoppedError
        with self._lock:
            if self._total is None:
                self._count_parts(done, total)
            elif self._bar is not None:
                share = 0.8 * done / max(1, total)  # of a case; the rest is reading and writing
                self._bar.n = max(self._bar.n, min(self._done + share, self._bar.total))
                self._show(f" {done}/{total}")

    def finished(self, case: str, *, kept: bool = False, failed: bool = False) -> None:
        """A case is through: done, failed, or kept from an earlier run."""
        with self._lock:
            self._done += 1
            self._worked += not kept
            if self._bar is not None:
                self._bar.n = max(self._bar.n, self._done)
                if kept:  # what took no time says nothing about the time that is left
                    self._bar.n = self._bar.initial = self._bar.initial + 1
                self._show()
            elif self._total:
                self._log(case, "kept" if kept else "failed" if failed else "done", self._total)

    def stop(self) -> None:
        """The run is interrupted: whoever reports parts is told."""
        self._stopped = True

    def close(self) -> None:
        """The run is over."""
        with self._lock:
            if self._bar is not None:
                self._bar.close()
            self._bar, self._total = None, None

    def _show(self, parts: str = "") -> None:
        if self._bar is not None and self._total:
            self._bar.postfix = [f"{self._done}/{self._total} cases, {self._stage}{parts}"]
            self._bar.refresh()

    def _log(self, case: str, how: str, total: int) -> None:
        now = time.monotonic()
        last = self._done == total
        level = logging.INFO if last or now - self._said > SECONDS_BETWEEN_LINES else logging.DEBUG
        if level == logging.INFO:
            self._said = now
        left = ""
        if self._worked and not last:
            seconds = (now - self._begun) / self._worked * (total - self._done)
            left = f", about {tqdm.format_interval(seconds)} left"
        extra = {"case": case, "stage": how}
        logger.log(level, "case %s %s: %d of %d%s", case, how, self._done, total, left, extra=extra)

    def _count_parts(self, done: int, total: int) -> None:
        """A bar over the parts alone, where nobody counts cases."""
        bar = self._bar or tqdm(total=total, desc=self.description, unit="part", disable=not self._draw, leave=False)
        bar.update(done - bar.n)
        self._bar = bar
        if done >= total:
            if bar.disable:
                logger.info("%s: %d parts done", self.description, total)
            bar.close()
            self._bar = None

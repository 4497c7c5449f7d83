"""Many inputs, in a process of their own that may hang or crash."""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .judge import MAX_SECONDS, Outcome, judge
from .mutations import Mutant
from .seeds import seeds

ADDRESS_SPACE = 16 << 30
"""No input makes the process larger: the machine outlives what the reader does not."""

_ROUNDS = 6  # of sound files, to load what some ways of reading load late
_PATIENCE = 3 * MAX_SECONDS  # the process itself tells of 10 s; this is for what never ends


class Finding(NamedTuple):
    """An input that was not taken as it should be."""

    number: int
    recipe: str
    what: str


@dataclass
class Campaign:
    """What came of it."""

    inputs: int = 0
    read: int = 0
    refused: int = 0
    findings: list[Finding] = field(default_factory=list)


def run(make: Callable[[int], Mutant], numbers: Iterable[int], *, seconds: float) -> Campaign:
    """Judges the inputs that are made of these numbers, one after the other, for as long as there is time."""
    done, left, end = Campaign(), list(numbers), time.monotonic() + seconds
    while left and time.monotonic() < end:
        here, there = multiprocessing.get_context("fork").Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(target=_work, args=(make, left, there), daemon=True)
        process.start()
        there.close()
        while left and time.monotonic() < end:
            outcome = _next(here)
            _add(done, left.pop(0), make, outcome or Outcome(False, "it hung, or the process crashed"))
            if outcome is None:
                break
        process.kill()
        process.join()
    return done


def _add(done: Campaign, number: int, make: Callable[[int], Mutant], outcome: Outcome) -> None:
    done.inputs += 1
    done.read += outcome.read
    done.refused += not outcome.read
    if outcome.wrong:
        done.findings.append(Finding(number, make(number).recipe, outcome.wrong))


def _next(here: Connection) -> Outcome | None:
    try:
        return here.recv() if here.poll(_PATIENCE) else None
    except EOFError:
        return None


def _work(make: Callable[[int], Mutant], numbers: list[int], there: Connection) -> None:
    with tempfile.TemporaryDirectory(prefix="ctvol-fuzz-") as name:
        folder, rng = Path(name), np.random.default_rng(0)
        for one in seeds():  # loads what is loaded late
            for _ in range(_ROUNDS):
                judge(Mutant({one.name: one.content}, one.name, "sound"), folder, rng)
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        tracemalloc.start()
        for number in numbers:
            there.send(judge(make(number), folder, np.random.default_rng(number)))

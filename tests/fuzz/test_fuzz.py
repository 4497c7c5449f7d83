"""Mutated files through the reader: volumes and errors of the family, in time, in memory, without a name."""

import logging
import time
import tracemalloc
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from transforms.errors import UnreadableError

from . import judge as judging
from .campaign import run
from .mutations import Mutant, mutant
from .seeds import seeds

FINDINGS = sorted(Path(__file__).with_name("findings").iterdir())
"""What once was a crash, a hang, a flood or a leak, made small."""


def past_finding(number):
    path = FINDINGS[number]
    return Mutant({path.name: path.read_bytes()}, path.name, path.name)


def test_what_was_found_stays_mended():
    done = run(past_finding, range(len(FINDINGS)), seconds=300)
    assert done.inputs == len(FINDINGS)
    assert done.findings == []


def test_sound_files_are_read():
    made = [Mutant({one.name: one.content}, one.name, "sound") for one in seeds()]
    done = run(made.__getitem__, range(len(made)), seconds=300)
    assert done.findings == []
    assert done.read >= len(made) / 2  # the others are inspected, or asked for labels


def test_mutants_are_the_same_at_every_run():
    assert list(map(partial(mutant, 3), range(40))) == list(map(partial(mutant, 3), range(40)))
    assert mutant(3, 0) != mutant(4, 0)


@pytest.mark.slow
def test_thousand_mutants():
    done = run(partial(mutant, 7), range(1000), seconds=500)
    assert done.findings == []
    assert done.inputs > 100


def breaks(path):
    raise KeyError("Rows")


def floods(path):
    np.empty(1 << 28, np.uint8)
    raise UnreadableError("too much", remedy="None")


def hangs(path):
    time.sleep(0.2)
    raise UnreadableError("too long", remedy="None")


def gives_up(path):
    raise UnreadableError("no remedy")


def prints(path):
    raise UnreadableError("bad\x1b[31m", remedy="None")


def tells(path):
    raise UnreadableError("of TELLING^NAME", remedy="None")


def logs(path):
    logging.getLogger("pydicom").warning("TELLING^NAME")
    raise UnreadableError("nothing", remedy="None")


def warns(path):
    warnings.warn("TELLING^NAME", stacklevel=1)
    raise UnreadableError("nothing", remedy="None")


@pytest.mark.parametrize(
    ("reader", "wrong"),
    [
        (breaks, "no error of the family"),
        (floods, "it asked for 268"),
        (hangs, "it took 0.2"),
        (gives_up, "without a remedy"),
        (prints, "control characters"),
        *[(reader, "tells of the patient") for reader in (tells, logs, warns)],
    ],
)
def test_the_judge_sees(monkeypatch, tmp_path, reader, wrong):
    monkeypatch.setattr(judging, "_read", lambda path, rng: judging._answer(lambda: reader(path)))
    monkeypatch.setattr(judging, "MAX_SECONDS", 0.15)
    tracemalloc.start()
    try:
        outcome = judging.judge(Mutant({"a.dcm": b"x"}, "a.dcm", ""), tmp_path, np.random.default_rng(0))
    finally:
        tracemalloc.stop()
    assert outcome.wrong is not None
    assert wrong in outcome.wrong

"""What the reader makes of one input: a volume or an error of the family, in time, in memory, without a name."""

from __future__ import annotations

import logging
import re
import time
import traceback
import tracemalloc
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from monai.data import MetaTensor

from pipeline.datasets.studies import Case
from pipeline.inspection import StudyInspection, as_text, inspect_case
from transforms.errors import CTError
from transforms.reading import ALLOWANCES, Volume, read_ct, read_label_map

from .mutations import Mutant
from .seeds import SECRETS, inflated

MAX_SECONDS = 10.0
"""Longer is a hang."""

MEMORY_SHARE = 4
"""The reader may take so many times the memory that the content of the files has,"""

ASKED_BASE_BYTES = 16 << 20
"""and this much besides of what is asked for through Python and numpy, used or not: buffers,"""

TAKEN_BASE_BYTES = 96 << 20
"""or of what the process takes: libraries that are loaded, and what they keep for later."""

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


class Outcome(NamedTuple):
    """How one input was taken."""

    read: bool
    """Whether it became a volume."""
    wrong: str | None
    """What is wrong with that."""


class _Said(logging.Handler):
    """All that is said besides."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage() + str(record.exc_info or ""))


def judge(made: Mutant, folder: Path, rng: np.random.Generator) -> Outcome:
    """Gives an input to the reader, out of a folder that is empty before and after."""
    for name, content in made.files.items():
        (folder / name).write_bytes(content)
    size = sum(map(inflated, made.files.values()))
    started = time.monotonic()
    asked_before, taken_before = _start_to_measure()
    try:
        read, said = _listened(folder / made.target, rng)
    except Exception:  # noqa: BLE001 - boundary: whatever else comes out is what is looked for
        return Outcome(False, f"no error of the family:\n{traceback.format_exc()}")
    finally:
        asked, taken = tracemalloc.get_traced_memory()[1] - asked_before, _resident("VmHWM") - taken_before
        for name in made.files:
            (folder / name).unlink(missing_ok=True)
    seconds = time.monotonic() - started
    if seconds > MAX_SECONDS:
        return Outcome(read, f"it took {seconds:.1f} s")
    if asked > MEMORY_SHARE * size + ASKED_BASE_BYTES or taken > MEMORY_SHARE * size + TAKEN_BASE_BYTES:
        return Outcome(read, f"it asked for {asked} bytes and took {taken} for {size} of content: {said[:500]}")
    return Outcome(read, _wrong_with(said))


def _listened(path: Path, rng: np.random.Generator) -> tuple[bool, str]:
    """Reads, and returns all that is said meanwhile."""
    listener = _Said()
    logging.getLogger().addHandler(listener)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            read, said = _read(path, rng)
    finally:
        logging.getLogger().removeHandler(listener)
    return read, "\n".join([said, *listener.lines, *(str(one.message) for one in warned)])


def _read(path: Path, rng: np.random.Generator) -> tuple[bool, str]:
    """As a volume in most cases, else as a label map, or as something to look at."""
    allow = [] if rng.random() < 0.5 else sorted(ALLOWANCES)
    way = rng.random()
    if way < 0.15:
        study = StudyInspection(cases=(inspect_case(Case(name="case", path=path), allow=allow, values=True),))
        return False, f"{as_text(study)}\n{study.as_json()}"
    return _answer(partial(read_label_map, path) if way < 0.25 else partial(read_ct, path, allow=allow))


def _answer(reader: Callable[[], Volume | MetaTensor]) -> tuple[bool, str]:
    try:
        volume = reader()
    except CTError as error:
        return False, f"{error}\n{error!r}" if error.remedy else "an error without a remedy"
    if not isinstance(volume, Volume):
        return True, str(volume.meta)
    assert volume.array.ndim == 3
    assert np.isfinite(volume.affine).all()
    assert np.isfinite(volume.array).all()
    return True, f"{volume.repairs}\n{volume.meta()}"


def _wrong_with(said: str) -> str | None:
    if any(secret.casefold() in said.casefold() for secret in SECRETS):
        return f"it tells of the patient: {said!r}"
    if "does not fit into memory" in said:
        return f"it asked for absurd memory: {said!r}"
    if said.startswith("an error without a remedy"):
        return said
    if _CONTROL.search(said):
        return f"control characters in what it says: {said!r}"
    return None


def _start_to_measure() -> tuple[int, int]:
    """Bytes asked for through Python and numpy, and taken by the process, up to now; the peaks begin here."""
    tracemalloc.reset_peak()
    Path("/proc/self/clear_refs").write_text("5")
    return tracemalloc.get_traced_memory()[0], _resident("VmRSS")


def _resident(field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024

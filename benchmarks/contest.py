"""Ours and its peers in one run: each in a fresh process, round after round in turn, one JSON object a line.

A benchmark is a program that runs itself again for each contestant (:func:`rounds_of`), measures there
(:func:`measured`) and prints lines (:func:`say`).
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One action of one contestant."""

    seconds: float
    cpu_seconds: float
    """Of all threads; on a busy machine the steadier measure."""
    peak_bytes: int
    """Most memory in use during the action beyond what was in use before it."""
    result: Any
    """What the contestant says of what it made, for comparison."""


def measured(action: Callable[[], Any], describe: Callable[[Any], Any]) -> Measurement:
    """Does an action once; what it made is described outside of the measured time and memory."""
    _forget_peak()
    before = _memory("VmRSS")
    start, cpu_start = time.perf_counter(), time.process_time()
    made = action()
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    peak = _memory("VmHWM") - before
    return Measurement(seconds=seconds, cpu_seconds=cpu_seconds, peak_bytes=peak, result=describe(made))


def rounds_of(
    contestants: Sequence[str], arguments: Sequence[str], *, rounds: int, program: str
) -> dict[str, list[Measurement]]:
    """Runs `program ARGUMENTS --contestant NAME` for each contestant in turn, several times over.

    Turn by turn, what else the machine does hits all of them alike. The program answers with :func:`answer`.
    """
    found: dict[str, list[Measurement]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name in contestants:
            command = [sys.executable, program, *arguments, "--contestant", name]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                raise SystemExit(f"{name} failed with status {done.returncode}:\n{done.stderr[-2000:]}")
            found[name].append(Measurement(**json.loads(done.stdout.splitlines()[-1])))
    return found


def answer(measurement: Measurement) -> None:
    """Hands a measurement to :func:`rounds_of`, from the contestant's process."""
    print(json.dumps(asdict(measurement)))


def say(**fields: Any) -> None:
    """Prints one JSON object."""
    print(json.dumps(fields), flush=True)


def medians(measurements: Iterable[Measurement]) -> dict[str, float]:
    """The middle one of several times, by the clock and of the processor."""
    times = [(one.seconds, one.cpu_seconds) for one in measurements]
    clock, processor = map(statistics.median, zip(*times, strict=True))
    return {"seconds": clock, "cpu_seconds": processor}


def machine(*packages: str) -> dict[str, Any]:
    """What a figure was measured on, and with which versions."""
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    versions = {name: importlib.metadata.version(name) for name in packages}
    cores = len(os.sched_getaffinity(0))
    return {"processor": processor[1] if processor else platform.machine(), "cores": cores, "versions": versions}


def _memory(field: str) -> int:
    found = re.search(rf"{field}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts again from now

"""Real commands and real data for the tests."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest


class Begun(NamedTuple):
    """A command that runs."""

    pid: int
    end: Callable[..., subprocess.CompletedProcess[str]]
    """Waits for it, and gives what it said."""


Run = Callable[..., subprocess.CompletedProcess[str]]

REPOSITORY = Path(__file__).parents[1]
# The tests' own processes share two or three cores: threads of each would only fight.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


@pytest.fixture(scope="session")
def warm_python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A function that runs `monai.bundle` or `ctvol` in a fork of a Python that has imported them (warm_python.py)."""
    folder, numbers = tmp_path_factory.mktemp("outputs"), count()
    script = [sys.executable, "-P", str(Path(__file__).with_name("warm_python.py"))]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(script, env=ENVIRONMENT, **pipes) as python:
        assert python.stdin is not None
        assert python.stdout is not None
        assert python.stdout.readline() == "ready\n"

        def ask(**request: Any) -> int:
            python.stdin.write(json.dumps(request) + "\n")
            python.stdin.flush()
            return int(python.stdout.readline())

        def begin(command: str, *arguments: object, cwd: Path = REPOSITORY, begin: bool = True) -> Begun:
            out, err = (folder / f"{next(numbers)}.{name}" for name in ("out", "err"))
            texts = [str(argument) for argument in arguments]
            number = ask(command=command, arguments=texts, folder=str(cwd), out=str(out), err=str(err), begin=begin)

            def end(status: int | None = None) -> subprocess.CompletedProcess[str]:
                status = ask(wait=number) if status is None else status
                return subprocess.CompletedProcess([command, *texts], status, out.read_text(), err.read_text())

            return Begun(number, end)

        def run(command: str, *arguments: object, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
            begun = begin(command, *arguments, cwd=cwd, begin=False)
            return begun.end(begun.pid)  # the status was the answer

        run.begin = begin
        yield run
        python.stdin.close()


@pytest.fixture(scope="session")
def run_ctvol(warm_python: Run) -> Run:
    """A function that runs `ctvol` with arguments."""

    def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        return warm_python("ctvol", *arguments, **options)

    return run


@pytest.fixture(scope="session")
def run_cold() -> Run:
    """A function that runs `python -P` with arguments, in a process of its own."""

    def run(*arguments: object, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", *(str(argument) for argument in arguments)]
        return subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the development data; the test is skipped where there is none."""
    root = Path(os.environ.get("CTVOL_DATA") or "missing")
    if not root.is_dir():
        pytest.skip("CTVOL_DATA is not set to a folder")
    return root

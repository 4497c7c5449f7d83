"""Programs of others: where they are, and servers that are started by a test and end with it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

REMEDIES = {
    "Orthanc": "apt-get install orthanc orthanc-dicomweb",
    "dciodvfy": "apt-get install dicom3tools",
    "dcentvfy": "apt-get install dicom3tools",
    "dcm2niix": "apt-get install dcm2niix",
    "setpriv": "apt-get install util-linux",
    "segimage2itkimage": "pip install dcmqi",
}


def installed(name: str) -> str:
    """The path of a program; without it the test is skipped, or failed where CTVOL_REQUIRE_SERVICES is 1."""
    beside_python = str(Path(sys.executable).parent)
    found = shutil.which(name, path=os.pathsep.join([beside_python, os.environ["PATH"]]))
    return found or absent(name, REMEDIES[name])


def absent(what: str, remedy: str) -> str:
    """Ends the test: skipped, or failed where CTVOL_REQUIRE_SERVICES is 1."""
    end = pytest.fail if os.environ.get("CTVOL_REQUIRE_SERVICES") == "1" else pytest.skip
    end(f"{what} is not installed: {remedy}, or `make services`")


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def serving(command: Sequence[object], ready: str, log: Path, *, seconds: int = 30, **options: Any) -> Iterator[None]:
    """Runs a server while the block lasts.

    Args:
        command: The server's.
        ready: An address that answers as soon as the server is there.
        log: What the server says goes there.
        seconds: How long it may take to start.
        options: Of :class:`subprocess.Popen`.
    """
    # The kernel ends the server with the tests, however these end.
    words = [installed("setpriv"), "--pdeathsig", "TERM", *map(str, command)]
    with log.open("wb") as out:
        server = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT, **options)
    try:
        _wait_for(ready, server, log, seconds)
        yield
    finally:
        server.terminate()
        try:
            server.wait(timeout=15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_for(ready: str, server: subprocess.Popen[bytes], log: Path, seconds: int) -> None:
    until = time.monotonic() + seconds
    while server.poll() is None and time.monotonic() < until:
        with suppress(requests.ConnectionError):
            requests.get(ready, timeout=60).raise_for_status()
            return
        time.sleep(0.1)
    pytest.fail(f"the server did not start:\n{log.read_text()[-3000:]}")

"""One trial: the bundle's own training, in a process of its own."""

from __future__ import annotations

import ctypes
import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.export.files import make_folder, replacing
from pipeline.networks import read_saved
from transforms.errors import UnreadableError

POLL_S = 2.0
"""How often a training is looked at."""

GRACE_S = 30.0
"""How long a training is given to end after it was asked to."""

_PR_SET_PDEATHSIG = 1

Report = Callable[[int, float], bool]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a training is.

    Attributes:
        epoch: Epochs that are done.
        best: The best validation so far; None before the first.
    """

    epoch: int
    best: float | None


@dataclass(frozen=True, kw_only=True)
class Training:
    """A bundle's training that is run with other values of config keys.

    Attributes:
        bundle: The bundle's folder.
        data: The data set.
        overlays: Config files after `train.yaml`.
        folder: Where trials have their folders.
    """

    bundle: Path
    data: Path
    overlays: Sequence[Path]
    folder: Path

    def folder_of(self, values: Mapping[str, Any]) -> Path:
        """A folder that the same values always have, so that a trial goes on where it was stopped."""
        digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
        return self.folder / digest

    def run(self, values: Mapping[str, Any], report: Report) -> tuple[Progress | None, str | None]:
        """Trains.

        Args:
            values: Config key to value.
            report: Told the epoch and the best validation so far; whether the training shall stop.

        Returns:
            How far it came, and why it failed, if it did; an empty reason where `report` stopped it.

        Raises:
            OutputError: When the folder cannot be written.
        """
        folder = make_folder(self.folder_of(values))
        overlay = folder / "values.yaml"
        with replacing(overlay) as temporary:
            temporary.write_text(yaml.safe_dump(dict(values), sort_keys=False), encoding="utf-8")
        configs = [self.bundle / "configs" / "train.yaml", *self.overlays, overlay]
        command = [
            sys.executable, "-P", "-m", "monai.bundle", "run", "--config_file", str([str(one) for one in configs]),
            "--bundle_root", str(self.bundle), "--dataset_dir", str(self.data), "--ckpt_dir", str(folder),
        ]  # fmt: skip
        with (folder / "training.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
            )
            try:
                stopped = _watch(process, folder, report)
            finally:
                _end(process)
        if stopped:
            return progress(folder), ""
        return progress(folder), None if process.returncode == 0 else _reason(folder, process.returncode)


def progress(folder: Path) -> Progress | None:
    """How far the training in a folder is; None where it has written nothing yet."""
    path = folder / "last.pt"
    if not path.is_file():
        return None
    try:
        content = read_saved(path)
        return Progress(epoch=int(content["epoch"]), best=content["best"])
    except (UnreadableError, KeyError, TypeError):
        return None


def _watch(process: subprocess.Popen[bytes], folder: Path, report: Report) -> bool:
    """Waits for the end of a training; whether it was stopped before."""
    seen = 0.0
    while process.poll() is None:
        time.sleep(POLL_S)
        written = (folder / "last.pt").stat().st_mtime if (folder / "last.pt").is_file() else 0.0
        if written == seen:
            continue
        seen, now = written, progress(folder)
        if now is not None and now.best is not None and report(now.epoch, now.best):
            return True
    return False


def _end_with_parent() -> None:
    """A training must not go on when its search was killed: the next one would write into the same folder."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _reason(folder: Path, status: int) -> str:
    lines = (folder / "training.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else f"the training ended with status {status}"

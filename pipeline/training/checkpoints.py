"""Checkpoints: the best weights for use, and all that a run needs to go on where it was stopped."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from ignite import distributed
from ignite.engine import Engine, Events
from torch import nn

from pipeline.export.files import make_folder, replacing, sweep
from pipeline.networks import read_saved
from pipeline.training.samples import SampleSampler, seed_epoch
from pipeline.training.saved_files import is_as_saved
from transforms.errors import SettingError, UnreadableError

logger = logging.getLogger(__name__)


class Stateful(Protocol):
    """Anything with a state that can be saved: networks, optimizers, engines, the budget."""

    def state_dict(self) -> Any:
        """The state."""

    def load_state_dict(self, state: Any) -> Any:
        """Takes a state over."""


class Checkpoints:
    """Handler that writes `best.pt` (a state dict) and `last.pt` (all that a resume needs), and resumes.

    A file is written under another name and renamed when it is whole; the `last.pt` before stays as
    `last.previous.pt` and serves where the newer one was damaged, which its checksums tell. Random numbers need no
    state: samples and dropout are seeded by the epoch (:class:`pipeline.training.SampleSampler`).

    Args:
        ckpt_dir: Where the files go.
        weights: The network whose weights are used later (the averaged one, where weights are averaged).
        validator: Its metrics decide what is best.
        states: Name to what else a resume needs: network, optimizer, averaged network, budget, early stopping.
        sampler: Told the epoch.
        seed: Of dropout.
        metric: The validator's metric; higher is better.
        resume: Whether a run goes on from `last.pt` where there is one.
    """

    def __init__(
        self,
        ckpt_dir: str | Path,
        *,
        weights: nn.Module,
        validator: Engine,
        states: Mapping[str, Stateful],
        sampler: SampleSampler,
        seed: int = 0,
        metric: str = "val_mean_dice",
        resume: bool = True,
    ) -> None:
        self.folder = Path(ckpt_dir)
        self.weights = weights
        self.validator = validator
        self.states = dict(states)
        self.sampler = sampler
        self.seed = seed
        self.metric = metric
        self.resume = resume
        self.best: float | None = None
        self._last_is_whole = False
        self._resumed = False

    def attach(self, engine: Engine) -> None:
        """Attaches to the trainer, after its validation."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.EPOCH_STARTED, self._seed)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._save_last)
        engine.add_event_handler(Events.COMPLETED, self._save_last)
        self.validator.add_event_handler(Events.COMPLETED, self._save_best)

    def _start(self, engine: Engine) -> None:
        if distributed.get_rank() == 0 and self.folder.is_dir():
            sweep(self.folder)  # of a run that was killed
        content = self._read() if self.resume else None
        if content is None:
            return
        try:
            for name, state in self.states.items():
                state.load_state_dict(content[name])
            if (scaler := getattr(engine, "scaler", None)) is not None:
                scaler.load_state_dict(content["scaler"])
            engine.state.epoch = int(content["epoch"])
            engine.state.iteration = int(content["iteration"])
            self.best = content["best"]
            self._resumed = True
        except (KeyError, RuntimeError, ValueError) as error:
            raise SettingError(
                "the checkpoint belongs to another configuration",
                where=self.folder / "last.pt",
                found=str(error).splitlines()[0],
                remedy="Use the configuration that it was written with, another ckpt_dir, or --resume false",
            ) from error
        logger.info("resuming after epoch %d from %s; --resume false starts afresh", engine.state.epoch, self.folder)

    def _read(self) -> dict[str, Any] | None:
        for name in ("last.pt", "last.previous.pt"):
            path = self.folder / name
            if not path.is_file():
                continue
            try:
                content = _read_whole(path)
            except UnreadableError as error:
                logger.warning("%s The checkpoint before it is used where there is one", error)
                continue
            self._last_is_whole = name == "last.pt"
            return content
        if any(self.folder.glob("last*.pt")):
            logger.warning("no checkpoint in %s can be used: the training starts afresh", self.folder)
        return None

    def _seed(self, engine: Engine) -> None:
        self.sampler.set_epoch(engine.state.epoch - 1)
        seed_epoch(self.seed, engine.state.epoch * distributed.get_world_size() + distributed.get_rank())

    def _save_last(self, engine: Engine) -> None:
        if distributed.get_rank() != 0:
            return
        content: dict[str, Any] = {name: state.state_dict() for name, state in self.states.items()}
        if (scaler := getattr(engine, "scaler", None)) is not None:
            content["scaler"] = scaler.state_dict()
        content |= {"epoch": engine.state.epoch, "iteration": engine.state.iteration, "best": self.best}
        path = make_folder(self.folder) / "last.pt"
        previous = path.with_name("last.previous.pt")
        with replacing(path) as temporary:
            torch.save(content, temporary)
            if self._last_is_whole and path.exists():  # else the one before it is the one that serves
                os.replace(path, previous)
        if not (self._last_is_whole or self._resumed):
            previous.unlink(missing_ok=True)  # of another run
        self._last_is_whole = self._resumed = True

    def _save_best(self, engine: Engine) -> None:
        value = float(engine.state.metrics[self.metric])
        if distributed.get_rank() != 0 or not (self.best is None or value > self.best):
            return
        self.best = value
        with replacing(make_folder(self.folder) / "best.pt") as temporary:
            torch.save(
                {name: tensor.cpu().contiguous() for name, tensor in self.weights.state_dict().items()}, temporary
            )
        logger.info("best %s so far: %.4f", self.metric, value)


def _read_whole(path: Path) -> dict[str, Any]:
    if not is_as_saved(path):
        raise UnreadableError("the checkpoint is damaged: it is cut short, or a checksum does not hold", where=path)
    content: dict[str, Any] = read_saved(path)
    return content

"""What is measured of a training: its rate, the stages of an iteration, how busy a GPU is."""

from __future__ import annotations

import argparse
import contextlib
import random
import statistics
import subprocess
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from contest import Measurement, measured
from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer
from monai.engines.utils import IterationEvents

SAMPLES_OF_THE_LOADER = 8
PROFILED_ITERATIONS = 20
STAGES = ("data", "transfer", "forward", "loss", "backward", "optimizer", "handlers")
"""`data` is waiting for the loader; `transfer` has augmentation too where it is done on the device."""


def trained(build: Callable[[argparse.Namespace], SupervisedTrainer], given: argparse.Namespace) -> Measurement:
    """Trains for some iterations, and on a GPU twice more: with the device waited for at each stage, and profiled."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    trainer = build(given)
    on_gpu = torch.device(given.device).type == "cuda"
    clock = _Clock(trainer, given.warm_up, wait=torch.cuda.synchronize if on_gpu else _nothing)
    trainer.state.max_epochs = 3 if on_gpu else 1
    clock.timed_epoch = 2 if on_gpu else 1
    smi = _Smi(trainer, given.warm_up) if on_gpu else None
    profile = _Kernels(trainer, epoch=3) if on_gpu else None
    found = measured(trainer.run, lambda _: clock.summary(given.batch_size))
    found.result["loader_seconds_a_sample"] = _loader_seconds(trainer.data_loader.dataset)
    found.result["cases"] = len({str(item["image"]) for item in trainer.data_loader.dataset.data})
    found.result["parameters"] = sum(weight.numel() for weight in trainer.network.parameters())
    found.result["device"] = torch.cuda.get_device_name(given.device) if on_gpu else given.device
    if smi is not None and profile is not None:
        seconds = given.batch_size / found.result["samples_a_second"]
        found.result["gpu_busy_nvidia_smi"] = smi.share()
        found.result["gpu_busy_kernels"] = profile.seconds_an_iteration() / seconds
    return found


def _nothing() -> None:
    pass


class _Clock:
    """Reads the clock at the events of a trainer, after the iterations that warm up."""

    def __init__(self, trainer: SupervisedTrainer, warm_up: int, wait: Callable[[], None]) -> None:
        self.warm_up, self.wait, self.timed_epoch = warm_up, wait, 1
        self.ends: list[float] = []
        self.losses: list[torch.Tensor] = []
        self.stages: dict[str, list[float]] = defaultdict(list)
        self._last = time.perf_counter()
        self._prepare = trainer.prepare_batch
        trainer.prepare_batch = self._prepared
        for event, stage in (
            (Events.GET_BATCH_STARTED, None),
            (Events.GET_BATCH_COMPLETED, "data"),
            (IterationEvents.FORWARD_COMPLETED, "forward"),
            (IterationEvents.LOSS_COMPLETED, "loss"),
            (IterationEvents.BACKWARD_COMPLETED, "backward"),
            (IterationEvents.MODEL_COMPLETED, "optimizer"),
            (Events.ITERATION_COMPLETED, "handlers"),
        ):
            trainer.add_event_handler(event, self._read, stage)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._end)
        self._trainer = trainer

    def _prepared(self, *args: Any, **kwargs: Any) -> Any:
        batch = self._prepare(*args, **kwargs)
        self._read(self._trainer, "transfer")
        return batch

    def _read(self, engine: Engine, stage: str | None) -> None:
        if engine.state.epoch != self.timed_epoch:
            return
        self.wait()
        now = time.perf_counter()
        if stage is not None:
            self.stages[stage].append(now - self._last)
        self._last = now

    def _end(self, engine: Engine) -> None:
        if engine.state.epoch != 1:
            return
        if len(self.ends) in (self.warm_up - 1, (engine.state.epoch_length or 0) - 1):
            self.wait()  # the clock runs from one empty queue of the device to another
        self.ends.append(time.perf_counter())
        output = engine.state.output  # MONAI's trainer takes it apart by default
        self.losses.append(torch.as_tensor((output[0] if isinstance(output, list) else output)["loss"]).detach())

    def summary(self, batch_size: int) -> dict[str, Any]:
        """Samples a second, and the median seconds of each stage."""
        timed = self.ends[self.warm_up - 1 :]
        return {
            "samples_a_second": batch_size * (len(timed) - 1) / (timed[-1] - timed[0]),
            "iteration_seconds": {stage: statistics.fmean(self.stages[stage][self.warm_up :]) for stage in STAGES},
            "loss_falls_from_to": [round(float(self.losses[0]), 3), round(float(self.losses[-1]), 3)],
        }


def _loader_seconds(dataset: Any) -> float:
    """Seconds of one sample in one process of one thread, as a worker makes it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    chosen = random.Random(0).sample(range(len(dataset.data) * SAMPLES_OF_THE_LOADER), SAMPLES_OF_THE_LOADER)
    begun = time.perf_counter()
    for index in chosen:
        dataset[index if hasattr(dataset, "seed") else index % len(dataset)]  # ctvol's samples have numbers
    torch.set_num_threads(threads)
    return (time.perf_counter() - begun) / len(chosen)


class _Smi:
    """Samples the share of time in which a GPU runs kernels, as its driver counts it, over the timed iterations."""

    def __init__(self, trainer: SupervisedTrainer, warm_up: int) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.readings: list[float] = []
        trainer.add_event_handler(Events.ITERATION_COMPLETED(once=warm_up), self._begin)
        trainer.add_event_handler(Events.EPOCH_COMPLETED(once=1), self._stop)

    def _begin(self, engine: Engine) -> None:
        command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "100"]
        with contextlib.suppress(OSError):
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def _stop(self, engine: Engine) -> None:
        if self.process is None:
            return
        self.process.terminate()
        lines = self.process.communicate()[0].split()
        self.readings = [float(line) for line in lines if line.replace(".", "").isdigit()]

    def share(self) -> float | None:
        """0 to 1; `None` where the driver says nothing. The first readings look back at the time before."""
        later = self.readings[len(self.readings) // 4 :]
        return statistics.fmean(later) / 100 if later else None


class _Kernels:
    """Sums up the seconds of a GPU's kernels over some iterations of an epoch of its own, and ends the training.

    Profiling slows what is around the kernels, and what it notes of many iterations takes long to add up.
    """

    def __init__(self, trainer: SupervisedTrainer, epoch: int) -> None:
        self.epoch, self.iterations = epoch, 0
        self.profile = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])
        trainer.add_event_handler(Events.EPOCH_STARTED(once=epoch), lambda _: self.profile.start())
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._count)

    def _count(self, engine: Engine) -> None:
        if engine.state.epoch != self.epoch:
            return
        self.iterations += 1
        if self.iterations == min(PROFILED_ITERATIONS, engine.state.epoch_length or 1):
            torch.cuda.synchronize()
            self.profile.stop()
            engine.terminate()

    def seconds_an_iteration(self) -> float:
        """Mean seconds of kernels, copies left aside."""
        rows = self.profile.key_averages()
        kernels = [row for row in rows if not row.key.startswith(("Memcpy", "Memset"))]
        return sum(float(row.self_device_time_total) for row in kernels) / 1e6 / self.iterations

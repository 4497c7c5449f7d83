"""Which workers a run has."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from pipeline.cohorts.workers.driver import AnyWorker, Driver
from pipeline.inference.device import select_device
from transforms.errors import SettingError

Engine = Literal["local", "ray"]
PATHS = ("bundle_root", "output_dir", "weights")
"""Keys of the configuration with paths, which workers elsewhere must find too."""


class Workers:
    """The workers of a run, made from the configuration that names this.

    Args:
        engine: `local`: processes of this machine; `ray`: actors of a Ray cluster.
        jobs: How many; `None` for one a GPU, and without GPUs for one, with Ray for as many as there is room.
        device: `auto`, `cpu`, `cuda` or `cuda:N`; a `torch.device` stands for `auto`.
        volumes_in_memory: Cases that each has in hand.
        cluster: With Ray: `address`, and the `cpus` and `gpus` that a worker takes.

    Raises:
        SettingError: When one of them cannot be.
    """

    def __init__(
        self,
        engine: Engine,
        jobs: int | None,
        *,
        device: str | torch.device,
        volumes_in_memory: int = 3,
        cluster: Mapping[str, Any] | None = None,
    ) -> None:
        self.engine = engine
        self.jobs = count_jobs(engine, jobs, device)
        self.device = device
        self.in_hand = volumes_in_memory
        self.cluster: dict[str, Any] = {"address": None, "cpus": 1, "gpus": None, **(cluster or {})}
        self._config = _whole_paths(_running_config()) if self.elsewhere else {}

    @property
    def elsewhere(self) -> bool:
        """Whether there is anyone but this process."""
        return _elsewhere(self.engine, self.jobs)

    def driver(self) -> Driver:
        """What runs cases over them; no process is started before the first case.

        Raises:
            MissingExtraError: When Ray is not installed.
            ClusterError: When the cluster cannot be reached.
        """
        workers = self._on_a_cluster() if self.engine == "ray" else self._on_this_machine()
        return Driver(workers, in_hand=self.in_hand)

    def _on_this_machine(self) -> list[AnyWorker]:
        from pipeline.cohorts.workers.local import LocalWorker

        jobs = self.jobs or 1
        devices = _devices(self.device)
        threads = max(1, len(os.sched_getaffinity(0)) // jobs) if devices == ["cpu"] else None
        return [
            LocalWorker(self._config, device=devices[number % len(devices)], threads=threads) for number in range(jobs)
        ]

    def _on_a_cluster(self) -> list[AnyWorker]:
        from pipeline.cohorts.workers.cluster import RayWorker, connect, count_actors

        connect(self.cluster["address"])
        cpus = float(self.cluster["cpus"])
        jobs, gpus = count_actors(self.jobs, cpus, self.cluster["gpus"])
        device = str(self.device) if isinstance(self.device, str) else "auto"
        threads = max(1, int(cpus)) if not gpus else None
        options: dict[str, Any] = {"device": device, "threads": threads}
        return [RayWorker(self._config, cpus=cpus, gpus=gpus, in_hand=self.in_hand, **options) for _ in range(jobs)]


def device_here(device: str | torch.device, engine: Engine, jobs: int | None) -> torch.device:
    """The device of this process: the one that is asked for, or the CPU where workers do the cases.

    Raises:
        SettingError: When there is no such device.
    """
    return torch.device("cpu") if _elsewhere(engine, count_jobs(engine, jobs, device)) else select_device(device)


def count_jobs(engine: Engine, jobs: int | None, device: str | torch.device) -> int | None:
    """How many workers there are; `None` where the cluster is to say.

    Raises:
        SettingError: When the engine is unknown, or there would be no worker.
    """
    if engine not in ("local", "ray"):
        raise SettingError("there is no such engine", where="engine", found=engine, expected="local or ray")
    if jobs is not None and (not isinstance(jobs, int) or jobs < 1):
        raise SettingError("there must be a worker", where="jobs", found=jobs, expected="a number from 1, or null")
    if jobs is not None or engine == "ray":
        return jobs
    return len(_devices(device))


def _elsewhere(engine: Engine, jobs: int | None) -> bool:
    return engine == "ray" or (jobs or 1) > 1


def _devices(device: str | torch.device) -> list[str]:
    """The devices that workers on this machine may have."""
    free = isinstance(device, torch.device) or device == "auto"  # an object is the config's own default
    if not free:
        return [str(device)]
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [f"cuda:{number}" for number in range(count)] or ["cpu"]


def _running_config() -> dict[str, Any]:
    from pipeline.bundle.recipe import running_config

    return running_config()


def _whole_paths(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with paths that mean the same from any folder."""
    paths = {key: config[key] for key in PATHS if isinstance(config.get(key), str)}
    return config | {key: str(Path(path).absolute()) for key, path in paths.items() if path[:1] not in "$@%"}

"""Random training samples that depend on the seed and their number alone: not on workers, not on interruptions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite import distributed
from monai.transforms import Compose
from torch.utils.data import Sampler, get_worker_info

from pipeline.training.cached_cases import CachedCases
from transforms.errors import CTError, DataListError, root_error


class SampleError(CTError):
    """A user's error in a process that loads samples.

    Of an exception in a worker torch hands on the class and the printed traceback, and calls the one with the other:
    the message is taken out of it here.

    Args:
        printed: The message, or a printed traceback that ends with it.
    """

    def __init__(self, printed: str) -> None:
        message = printed.rsplit(f"{type(self).__name__}: ", maxsplit=1)[-1]
        super().__init__(message.strip().removesuffix("."))


class SampleDataset(CachedCases):
    """Cases whose deterministic transforms are cached and whose random ones are seeded by the sample's number.

    An index is a sample's number times the number of cases plus the case, as :class:`SampleSampler` hands them out.
    The random state of the chain is set from the seed and that index, so a sample is the same whichever worker makes
    it and whatever was made before.

    Args:
        data: One dictionary a case.
        transform: The chain; what comes before its first random transform is cached.
        seed: Of all random transforms.
        cache_dir: See :class:`pipeline.training.CachedCases`, as all that follow.
        cache_gb: See there.
        cache_rate: Share of the cases that are kept.
        cache_workers: Threads that fill the cache.
        progress: Whether a bar shows the filling.

    Raises:
        DataListError: When there are no cases.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Compose,
        *,
        seed: int = 0,
        cache_dir: str | Path | None = None,
        cache_gb: float = 50.0,
        cache_rate: float = 1.0,
        cache_workers: int = 2,
        progress: bool = False,
    ) -> None:
        if not data:
            raise DataListError("there are no cases to train on", remedy="List some under `training` in dataset.json")
        self.seed = seed
        super().__init__(
            data,
            transform,
            cache_dir=cache_dir,
            cache_gb=cache_gb,
            cache_rate=cache_rate,
            cache_workers=cache_workers,
            progress=progress,
        )

    def __getitem__(self, index: int) -> Any:  # type: ignore[override]
        """The sample of an index."""
        sample_seed = _mixed(self.seed, index)
        self.transform.set_random_state(seed=sample_seed)
        try:
            return super().__getitem__(index % len(self.data))
        except RuntimeError as error:  # what MONAI makes of whatever a transform raises
            root = root_error(error)
            if get_worker_info() is None or not isinstance(root, CTError):
                raise
            raise SampleError(str(root)) from error


class SampleSampler(Sampler[int]):
    """Hands out the samples of an epoch: every case in turn, in an order that the seed and the epoch decide.

    Args:
        dataset: Whose cases are sampled.
        samples_per_epoch: Samples of an epoch, over all processes; by default one a case.
        seed: Of the order.
        rank: Which process of a distributed run this is; by default the current one.
        world_size: How many there are.
    """

    def __init__(
        self,
        dataset: SampleDataset,
        samples_per_epoch: int | None = None,
        *,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        self.cases = len(dataset)
        self.seed = seed
        self.rank = distributed.get_rank() if rank is None else rank
        self.world_size = distributed.get_world_size() if world_size is None else world_size
        # Every process gets as many: they wait for each other at every step.
        self.samples = -(-(samples_per_epoch or self.cases) // self.world_size)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Says which epoch comes next, counted from 0."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.samples

    def __iter__(self) -> Iterator[int]:
        total = self.samples * self.world_size
        first = self.epoch * total
        rounds = range(first // self.cases, (first + total - 1) // self.cases + 1)
        orders = {number: np.random.RandomState(_mixed(self.seed, number)).permutation(self.cases) for number in rounds}
        for number in range(first + self.rank, first + total, self.world_size):
            case = int(orders[number // self.cases][number % self.cases])
            yield number * self.cases + case


def seed_epoch(seed: int, epoch: int) -> None:
    """Seeds what is random in the network (dropout) for an epoch, so that a resumed run repeats it."""
    torch.manual_seed(_mixed(seed, epoch))


def _mixed(seed: int, number: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=4).digest(), "little") & 0x7FFFFFFF

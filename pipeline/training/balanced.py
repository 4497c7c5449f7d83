"""Samples of which every class has as many, however rare it is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.training.samples import SampleDataset, SampleSampler
from transforms.errors import DataListError


class BalancedSampler(SampleSampler):
    """Hands out the classes in turn, and the cases of each class in turn, in orders that the seed decides.

    Args:
        dataset: Whose cases are sampled; their class is under `label_key`.
        samples_per_epoch: See :class:`pipeline.training.SampleSampler`, as all that follow but `label_key`.
        seed: Of the orders.
        rank: Which process this is.
        world_size: How many there are.
        label_key: Key of a case's class.

    Raises:
        DataListError: When all cases are of one class.
    """

    def __init__(
        self,
        dataset: SampleDataset,
        samples_per_epoch: int | None = None,
        *,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
        label_key: str = "label",
    ) -> None:
        super().__init__(dataset, samples_per_epoch, seed=seed, rank=rank, world_size=world_size)
        labels = np.array([int(item[label_key]) for item in dataset.data])
        self.members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        if len(self.members) < 2:
            raise DataListError("the training cases are all of one class", remedy="List cases of the other classes")

    def __iter__(self) -> Iterator[int]:
        total = self.samples * self.world_size
        first = self.epoch * total
        for number in range(first + self.rank, first + total, self.world_size):
            turn, place = divmod(number, len(self.members))
            chosen = int(self._order(len(self.members), 0, turn)[place])
            members = self.members[chosen]
            again, at = divmod(turn, len(members))
            yield number * self.cases + int(members[self._order(len(members), 1 + chosen, again)[at]])

    def _order(self, count: int, *numbers: int) -> NDArray[np.int64]:
        return np.random.default_rng([self.seed, *numbers]).permutation(count)


def slice_sampler(
    dataset: SampleDataset, samples_per_epoch: int | None = None, *, seed: int = 0, balanced: bool = True
) -> SampleSampler:
    """A :class:`BalancedSampler`, or one that hands out every case in turn.

    Args:
        dataset: Whose cases are sampled.
        samples_per_epoch: Samples of an epoch, over all processes; by default one a case.
        seed: Of the order.
        balanced: Whether every class gets as many samples.
    """
    kind = BalancedSampler if balanced else SampleSampler
    return kind(dataset, samples_per_epoch, seed=seed)

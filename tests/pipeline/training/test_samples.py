"""Samples depend on the seed and their number alone."""

import numpy as np
import pytest
import torch
from monai.data import DataLoader
from monai.transforms import Compose, Lambdad, RandGaussianNoised, RandShiftIntensityd

from pipeline.training import SampleDataset, SampleSampler
from transforms.errors import DataListError


def dataset(seed=0, cache_rate=1.0):
    chain = Compose(
        [
            Lambdad("image", lambda value: torch.full((1, 4, 4), float(value))),
            RandShiftIntensityd("image", offsets=1.0, prob=1.0),
            RandGaussianNoised("image", prob=1.0),
        ]
    )
    return SampleDataset([{"image": value} for value in range(5)], chain, seed=seed, cache_rate=cache_rate)


def epoch(data, sampler, number, workers=0):
    sampler.set_epoch(number)
    loader = DataLoader(data, sampler=sampler, batch_size=2, num_workers=workers)
    return torch.cat([torch.as_tensor(batch["image"]) for batch in loader])


def test_workers_and_caching_change_nothing():
    expected = epoch(dataset(), SampleSampler(dataset(), 8), 3)
    assert torch.equal(expected, epoch(dataset(cache_rate=0.4), SampleSampler(dataset(), 8), 3, workers=2))


def test_an_epoch_does_not_depend_on_those_before():
    data = dataset()
    sampler = SampleSampler(data, 8)
    epoch(data, sampler, 0)
    second = epoch(data, sampler, 1)
    fresh = dataset()
    assert torch.equal(second, epoch(fresh, SampleSampler(fresh, 8), 1))


def test_epochs_samples_and_seeds_differ():
    data = dataset()
    sampler = SampleSampler(data, 8)
    assert not torch.equal(epoch(data, sampler, 0), epoch(data, sampler, 1))
    assert not torch.equal(epoch(data, sampler, 0), epoch(dataset(seed=1), sampler, 0))


def test_every_case_comes_equally_often():
    sampler = SampleSampler(dataset(), 7)
    cases = []
    for number in range(5):
        sampler.set_epoch(number)
        cases += [index % 5 for index in sampler]
    assert np.bincount(cases).tolist() == [7] * 5


def test_processes_share_an_epoch():
    shares = [SampleSampler(dataset(), 9, rank=rank, world_size=2) for rank in range(2)]
    for share in shares:
        share.set_epoch(2)
    together = [list(share) for share in shares]
    assert [len(share) for share in together] == [5, 5]
    one = SampleSampler(dataset(), 10, rank=0, world_size=1)
    one.set_epoch(2)
    assert sorted(together[0] + together[1]) == sorted(one)


def test_no_cases_are_refused():
    with pytest.raises(DataListError, match="no cases"):
        SampleDataset([], Compose([]))

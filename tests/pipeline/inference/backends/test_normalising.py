"""Both ways to normalise give what torch's group norm gives, in float32; half precision does not overflow."""

import pytest
import torch
from torch.nn import functional

from pipeline.inference.backends.normalising import by_moments, normalised


def features(shape, last):
    found = torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 5 + 3
    return found.to(memory_format=torch.channels_last_3d) if last else found


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(("channels", "groups"), [(16, 16), (5, 5), (32, 4), (8, 1)])
@pytest.mark.parametrize("way", [normalised, by_moments])
def test_every_group_is_normalised(way, channels, groups, last):
    given = features((3, channels, 4, 6, 5), last)
    before = given.clone()
    expected = functional.group_norm(given, groups, eps=1e-5)
    torch.testing.assert_close(way(given, groups, eps=1e-5), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(given, before, atol=0, rtol=0)


def test_what_does_not_vary_becomes_zero():
    flat = torch.full((1, 16, 4, 4, 4), 7.0)
    torch.testing.assert_close(by_moments(flat, 16, eps=1e-5), torch.zeros_like(flat), atol=1e-3, rtol=0)


def test_the_order_in_memory_stays():
    given = features((3, 32, 4, 6, 5), last=True)
    assert by_moments(given, 4, eps=1e-5).is_contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 2000.0])
def test_half_precision_neither_overflows_nor_vanishes(scale):
    given = (features((2, 16, 8, 8, 8), last=True) - 5) * scale
    expected = functional.group_norm(given, 16, eps=1e-5)
    found = by_moments(given.half(), 16, eps=1e-5).float()
    torch.testing.assert_close(found, expected, atol=8e-3, rtol=0)

"""Overlapping patches become one volume, whatever order they come in."""

import pytest
import torch

from pipeline.inference.blending import OUTSIDE, Blend
from pipeline.inference.placement import lattice

SHAPE, SIZE = (20, 13, 17), (8, 8, 8)


def patches(channels=3):
    generator = torch.Generator().manual_seed(1)
    places = lattice(SHAPE, SIZE, 0.5)
    return places, [torch.randn((channels, *SIZE), generator=generator) for _ in places]


def blended(places, logits, **settings):
    weight = torch.rand(SIZE, generator=torch.Generator().manual_seed(2)) + 0.1
    blend = Blend(SHAPE, weight, **{"has_background": True} | settings)
    for place, patch in zip(places, logits, strict=True):
        blend.add(place, patch)
    return blend, weight


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(("dtype", "off"), [(torch.float32, 1e-6), (torch.float16, 6e-3)])
def test_it_is_the_weighted_mean(dtype, off, last):
    places, logits = patches()
    as_they_lie = [patch.permute(1, 2, 3, 0).contiguous().permute(3, 0, 1, 2) if last else patch for patch in logits]
    blend, weight = blended(places, as_they_lie, dtype=dtype)
    sums, weights = torch.zeros(3, *SHAPE, dtype=torch.float64), torch.zeros(SHAPE, dtype=torch.float64)
    for place, patch in zip(places, logits, strict=True):
        sums[(slice(None), *place)] += patch * weight
        weights[place] += weight
    result = blend.result()
    assert result.dtype == dtype
    torch.testing.assert_close(result.double(), sums / weights, atol=off, rtol=0)


def test_the_order_does_not_matter():
    places, logits = patches()
    forward, _ = blended(places, logits)
    backward, _ = blended(places[::-1], logits[::-1])
    torch.testing.assert_close(forward.result(), backward.result())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("has_background", [False, True])
def test_where_no_patch_lies_nothing_is_found(has_background, dtype):
    places, logits = patches()
    result = blended(places[:1], logits[:1], has_background=has_background, dtype=dtype)[0].result()
    outside = result[:, 8:]
    if has_background:
        assert (outside[0] == 2 * OUTSIDE).all()
        assert (outside[1:] == 0).all()
    else:
        assert (outside == -OUTSIDE).all()


@pytest.mark.parametrize("has_background", [False, True])
def test_unclear_is_what_leads_the_background_and_what_was_not_searched(has_background):
    places, logits = patches(2)
    blend, _ = blended(places[:1], logits[:1], has_background=has_background)
    (x, y, z), (first, second) = places[0], logits[0]
    leads = second > first if has_background else (first > 0) | (second > 0)
    unclear = blend.unclear()
    assert torch.equal(unclear[x, y, z], leads)
    assert unclear[8:].all()
    searched = torch.zeros(SHAPE, dtype=torch.bool)
    searched[9, 9, 9] = True
    unclear = blend.unclear(searched)
    assert torch.equal(unclear[x, y, z], leads)
    assert unclear[8:].sum() == 1


def test_no_patch_makes_no_volume():
    with pytest.raises(ValueError, match="no patch"):
        Blend(SHAPE, torch.ones(SIZE), has_background=True).result()

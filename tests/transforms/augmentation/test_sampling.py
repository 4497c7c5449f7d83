"""Sampling: that gathering agrees with PyTorch's grid_sample, copies no more than it must, and what stands outside."""

import numpy as np
import pytest
import torch

from transforms.augmentation import Deformation, DeformationRanges, Positions, Warp, draw_deformation
from transforms.augmentation import gathering as gathering_module
from transforms.augmentation import positions as positions_module
from transforms.augmentation.sampling import grid_sample, sample_patches

SPACING = (1.0, 1.5, 2.0)
SIZE = (18, 14, 11)


def positions(centre, size=SIZE, seed=0, **ranges):
    extent = [n * mm for n, mm in zip(size, SPACING, strict=True)]
    deformation = draw_deformation(np.random.RandomState(seed), DeformationRanges(**ranges), extent)
    return Positions.of(deformation, size, SPACING, centre)


def crop(centre, size):
    return Warp(
        patch_size=size, centre=np.array(centre), spacing_mm=np.array(SPACING), deformation=Deformation.identity()
    )


def random_volume(shape=(2, 30, 26, 22), seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) + 1


@pytest.mark.parametrize("centre", [(15, 13, 10), (2, 3, 20), (-3, 13, 25)], ids=["inside", "edge", "corner"])
@pytest.mark.parametrize("outside", [0.0, -2.5])
@pytest.mark.parametrize("seed", range(3))
def test_gathering_agrees_with_grid_sample(centre, outside, seed):
    volume, places = random_volume(), positions(centre, seed=seed, elastic_mm=5, elastic_spacing_mm=15)
    (found,) = sample_patches([volume], places, ["linear"], [outside])
    expected = grid_sample(volume[None], places.dense()[None], mode="linear", outside=outside)[0]
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=0)


@pytest.mark.parametrize("centre", [(15, 13, 10), (2, 3, 20)])
def test_nearest_agrees_with_grid_sample_but_where_two_voxels_are_as_near(centre):
    label = (random_volume((1, 30, 26, 22)) * 7).to(torch.uint8)
    places = positions(centre, elastic_mm=5, elastic_spacing_mm=15)
    (found,) = sample_patches([label], places, ["nearest"], [0.0])
    expected = grid_sample(label[None], places.dense()[None], mode="nearest", outside=0.0)[0]
    dense = places.dense()
    apart = ((dense - dense.round()).abs() < 0.499).all(dim=0)
    assert apart.float().mean() > 0.9
    assert torch.equal(found[0][apart], expected[0][apart])
    assert found.dtype == torch.uint8


def test_blocks_make_no_difference(monkeypatch):
    volume, places = random_volume(), positions((12, 13, 10))
    (whole,) = sample_patches([volume], places, ["linear"], [0.0])
    monkeypatch.setattr(positions_module, "BLOCK_VOXELS", 1)
    (in_planes,) = sample_patches([volume], places, ["linear"], [0.0])
    torch.testing.assert_close(whole, in_planes)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
@pytest.mark.parametrize("centre", [(15, 13, 10), (2, 3, 20)])
def test_the_order_in_memory_makes_no_difference(order, centre):
    volume = random_volume()
    laid_out = volume.permute(order).contiguous().permute(*np.argsort(order).tolist())
    assert laid_out.stride() != volume.stride() or order == (0, 1, 2, 3)
    places = positions(centre)
    (expected,) = sample_patches([volume], places, ["linear"], [0.0])
    (found,) = sample_patches([laid_out[:, :, :, :]], places, ["linear"], [0.0])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("dtype", "mode", "expected"),
    [
        (torch.int16, "linear", torch.float32),
        (torch.int16, "nearest", torch.int16),
        (torch.float16, "linear", torch.float16),
        (torch.bool, "nearest", torch.bool),
        (torch.float64, "bilinear", torch.float64),
    ],
)
def test_dtypes(dtype, mode, expected):
    volume = (random_volume() * 100).to(dtype)
    places = positions((15, 13, 10))
    (found,) = sample_patches([volume], places, [mode], [0.0])
    reference = grid_sample(volume[None].float(), places.dense()[None], mode=mode, outside=0.0)[0]
    assert found.dtype == expected
    assert (found.float() - reference.to(expected).float()).abs().quantile(0.99) < 0.2


def test_a_patch_inside_copies_nothing_of_the_volume(monkeypatch):
    def copied(*_, **__):
        raise AssertionError("the volume was copied")

    monkeypatch.setattr(gathering_module.functional, "pad", copied)
    sample_patches([random_volume()], positions((15, 13, 10), (6, 6, 6)), ["linear"], [0.0])
    with pytest.raises(AssertionError, match="copied"):
        sample_patches([random_volume()], positions((1, 13, 10), (6, 6, 6)), ["linear"], [0.0])


def test_a_patch_that_shows_nothing_is_filled():
    (patch,) = sample_patches([random_volume()], positions((200, 13, 10)), ["linear"], [-1.0])
    assert torch.equal(patch, torch.full((2, *SIZE), -1.0))


@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_without_deformation_the_patch_is_the_very_crop(mode):
    volume = random_volume()
    (patch,) = crop((6.5, 8.0, 11.5), (8, 7, 6)).apply([volume], [mode], [0.0])
    assert torch.equal(patch, volume[:, 3:11, 5:12, 9:15])
    assert patch.data_ptr() != volume.data_ptr()


def test_a_crop_is_filled_up_where_the_volume_ends():
    volume = torch.ones((1, 4, 4, 4))
    (patch,) = crop((1.5, 1.5, 3.5), (8, 8, 8)).apply([volume], ["linear"], [-1.0])
    assert torch.equal(patch[:, 2:6, 2:6, :4], volume)
    assert patch.sum() == volume.sum() - (8**3 - 4**3)
    (nothing,) = crop((50.5, 1.5, 1.5), (2, 2, 2)).apply([volume], ["linear"], [-1.0])
    assert torch.equal(nothing, torch.full((1, 2, 2, 2), -1.0))

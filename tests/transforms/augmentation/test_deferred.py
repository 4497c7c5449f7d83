"""Deferred patches: the same seed gives what the chain on the CPU gives, wherever they are sampled."""

import pickle

import pytest
import torch
from monai.transforms import Compose

from transforms.augmentation import (
    PATCH_KEY,
    DeferredPatch,
    IntensityRanges,
    RandAffineElasticd,
    RandDeferredPatchd,
    sampling,
)
from transforms.errors import GeometryError

SETTINGS = {"ranges": {"elastic_mm": 5, "elastic_spacing_mm": 14}, "foreground": 1.0, "padding_value": -1.0}


def drawn(data, seed, size=(12, 14, 10), **settings):
    """A patch whose place and deformation are those that `Compose` gives the same seed."""
    transform = Compose([RandDeferredPatchd(["image", "label"], size, **{**SETTINGS, **settings})])
    return transform.set_random_state(seed=seed)(dict(data))[PATCH_KEY]


def at_once(data, seed, size=(12, 14, 10), **settings):
    transform = Compose([RandAffineElasticd(["image", "label"], size, **{**SETTINGS, **settings})])
    return transform.set_random_state(seed=seed)(dict(data))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [(12, 14, 10), (50, 14, 10)], ids=["inside", "larger than the volume"])
def test_a_seed_gives_the_patch_of_the_chain_on_the_cpu(with_indices, seed, size):
    patch, expected = drawn(with_indices, seed, size), at_once(with_indices, seed, size)
    sampled = patch.sample()
    torch.testing.assert_close(sampled["image"], expected["image"].as_tensor(), atol=1e-4, rtol=0)
    assert (sampled["label"] != expected["label"].as_tensor()).float().mean() < 1e-3
    assert sampled["label"].dtype == torch.uint8


def test_the_way_of_other_devices_gives_the_same(with_indices, monkeypatch):
    patch = drawn(with_indices, 1)
    here = patch.sample()

    def sample_elsewhere(volumes, positions, modes, outside):
        grid = positions.dense("cpu")[None]
        return [
            sampling.grid_sample(volume[None], grid, mode=mode, outside=value)[0]
            for volume, mode, value in zip(volumes, modes, outside, strict=True)
        ]

    monkeypatch.setattr("transforms.augmentation.warp.sample_patches", sample_elsewhere)
    there = patch.sample()
    torch.testing.assert_close(here["image"], there["image"], atol=2e-4, rtol=0)
    assert (here["label"] != there["label"]).float().mean() < 1e-3


def test_straight_patches_are_crops(with_indices):
    patch = drawn(with_indices, 0, prob=0.0)
    assert {tuple(box.shape[1:]) for box in patch.volumes.values()} == {(12, 14, 10)}
    expected = at_once(with_indices, 0, prob=0.0)
    assert all(torch.equal(patch.sample()[key], expected[key].as_tensor()) for key in ("image", "label"))


def test_only_the_box_that_is_needed_is_handed_on_and_owned(with_indices):
    patch = drawn(with_indices, 3, (6, 6, 6))
    box = patch.volumes["image"]
    assert box.numel() < with_indices["image"].numel() / 4
    assert box.untyped_storage().nbytes() == box.numel() * box.element_size()
    again = pickle.loads(pickle.dumps(patch))  # between processes
    assert isinstance(again, DeferredPatch)
    assert torch.equal(again.sample()["image"], patch.sample()["image"])
    assert torch.equal(patch.to("cpu").sample()["label"], patch.sample()["label"])


def test_flips_and_values_change_after_the_patch_is_taken(with_indices):
    straight = drawn(with_indices, 0, prob=0.0).sample()
    axes = set()
    for seed in range(40):
        patch = drawn(with_indices, seed, prob=0.0, flip_axes=(0, 2))
        axes.add(patch.flips)
        mirrored = at_once(with_indices, seed, prob=0.0)["label"].as_tensor()
        assert torch.equal(patch.sample()["label"], mirrored.flip([axis + 1 for axis in patch.flips]))
    assert axes == {(), (0,), (2,), (0, 2)}
    loud = IntensityRanges(noise=0.5, probs=(1, 1, 1, 1, 1))
    changed = drawn(with_indices, 0, prob=0.0, intensity=loud).sample()
    assert torch.equal(changed["label"], straight["label"])
    assert (changed["image"] - straight["image"]).std() > 0.01


def test_slabs_become_two_dimensional(with_indices):
    ranges = {**SETTINGS["ranges"], "in_plane": True}
    patch = drawn(with_indices, 0, (12, 14, 3), ranges=ranges, slab=True, flip_axes=(0, 1), intensity=IntensityRanges())
    sampled = patch.sample()
    assert sampled["image"].shape == (3, 12, 14)
    assert sampled["label"].shape == (1, 12, 14)


def test_volumes_on_different_grids_are_refused(with_indices):
    with_indices["label"] = with_indices["label"][..., :-1]
    with pytest.raises(GeometryError, match="label"):
        RandDeferredPatchd(["image", "label"], (8, 8, 8))(with_indices)


@pytest.mark.gpu
def test_a_gpu_samples_what_a_processor_does(with_indices):
    for seed in range(4):
        patch = drawn(with_indices, seed, flip_axes=(0, 1, 2))
        here, there = patch.sample(), patch.pin_memory().to("cuda", non_blocking=True).sample()
        assert there["image"].is_cuda
        torch.testing.assert_close(here["image"], there["image"].cpu(), atol=1e-3, rtol=0)
        assert (here["label"] != there["label"].cpu()).float().mean() < 1e-2

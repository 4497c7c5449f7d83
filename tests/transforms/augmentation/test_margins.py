"""Cutting volumes again: nothing of the foreground goes, the affine follows, every side loses its share."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from transforms import RandCutMarginsd
from transforms.errors import SettingError

FOREGROUND = (slice(12, 20), slice(6, 22), slice(10, 13))


@pytest.fixture
def pair():
    label = torch.zeros((1, 40, 30, 20))
    label[0][FOREGROUND] = 1
    places = torch.arange(label.numel(), dtype=torch.float32).reshape(label.shape)
    affine = torch.diag(torch.tensor([-1.0, -1.5, 3.0, 1.0], dtype=torch.float64))
    affine[:3, 3] = torch.tensor([7.0, -2.0, 11.0])
    return {"image": MetaTensor(places, affine=affine), "label": MetaTensor(label, affine=affine)}


def cut(pair, seed, prob=1.0):
    transform = RandCutMarginsd(["image", "label"], prob=prob)
    transform.set_random_state(seed=seed)
    return transform(dict(pair))


@pytest.mark.parametrize("seed", range(8))
def test_the_foreground_stays_whole_and_every_voxel_at_its_place(pair, seed):
    out = cut(pair, seed)
    assert out["label"].sum() == pair["label"].sum()
    index = np.array([1, 2, 1])
    number = int(out["image"][(0, *index)])
    original = np.array(np.unravel_index(number, pair["image"].shape[1:]))
    np.testing.assert_allclose(
        out["image"].affine.numpy() @ [*index, 1], pair["image"].affine.numpy() @ [*original, 1], atol=1e-9
    )


def test_each_side_loses_any_share_of_its_margin(pair):
    shapes = np.array([cut(pair, seed)["image"].shape[1:] for seed in range(60)])
    box = [8, 16, 3]
    assert (shapes >= box).all()
    assert (shapes.min(0) < np.add(box, 8)).all()
    assert (shapes.max(0) > np.array([34, 26, 15])).all()


def test_no_foreground_leaves_the_volume(pair):
    empty = {**pair, "label": torch.zeros_like(pair["label"])}
    assert cut(empty, 0)["image"].shape == pair["image"].shape


def test_the_share_of_samples_that_are_cut(pair):
    whole = [cut(pair, seed, prob=0.3)["image"].shape == pair["image"].shape for seed in range(100)]
    assert 55 <= sum(whole) <= 85


def test_a_share_beyond_one_is_refused():
    with pytest.raises(SettingError, match="share"):
        RandCutMarginsd("image", prob=1.5)

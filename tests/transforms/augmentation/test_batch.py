"""Batches: every sample on its own, on any device, as the single transform would."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from transforms.augmentation import RandAffineElasticBatchd, batch
from transforms.errors import GeometryError, SettingError

SHAPE = (3, 1, 24, 20, 16)
SETTINGS = {"ranges": {"elastic_mm": 6, "elastic_spacing_mm": 16}, "spacing_mm": (1.0, 1.5, 2.0)}


def both(device="cpu"):
    image = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0)) + 1
    return {"image": image.to(device), "label": (image > 1.5).to(torch.uint8).to(device), "case": ["a", "b", "c"]}


def test_samples_are_deformed_each_on_its_own():
    data = both()
    data["image"] = data["image"][:1].expand(SHAPE)
    out = RandAffineElasticBatchd(["image", "label"], (12, 12, 8), **SETTINGS).set_random_state(seed=0)(data)
    assert out["image"].shape == out["label"].shape == (3, 1, 12, 12, 8)
    assert out["label"].dtype == torch.uint8
    assert out["case"] == ["a", "b", "c"]
    assert not torch.equal(out["image"][0], out["image"][1])


def test_the_device_way_gives_what_the_cpu_way_gives(monkeypatch):
    transform = RandAffineElasticBatchd(["image", "label"], padding_value=-1.0, **SETTINGS)
    gathered = transform.set_random_state(seed=1)(both())
    monkeypatch.setattr(batch, "_one_by_one", batch._at_once)
    sampled = transform.set_random_state(seed=1)(both())
    torch.testing.assert_close(gathered["image"], sampled["image"], atol=2e-4, rtol=0)
    assert (gathered["label"] != sampled["label"]).float().mean() < 1e-3
    assert float(gathered["image"].min()) == -1


@pytest.mark.parametrize("size", [(12, 12, 8), (11, 13, 7)])
def test_what_is_not_deformed_is_cropped(size):
    data = both()
    out = RandAffineElasticBatchd(["image", "label"], size, prob=0.0, **SETTINGS)(data)
    start = [int(np.floor((n - 1) / 2 - s / 2 + 1)) for n, s in zip(SHAPE[2:], size, strict=True)]
    box = (slice(None), slice(None), *(slice(a, a + s) for a, s in zip(start, size, strict=True)))
    torch.testing.assert_close(out["image"], data["image"][box], atol=1e-4, rtol=0)
    assert torch.equal(out["label"], data["label"][box])


def test_voxel_sizes_come_from_the_affines():
    data = both()
    affine = torch.diag(torch.tensor([1.0, 1.5, 2.0, 1.0]))
    told = RandAffineElasticBatchd(["image", "label"], **SETTINGS).set_random_state(seed=2)(data)
    data["image"] = MetaTensor(data["image"], affine=affine.expand(3, 4, 4))
    found = RandAffineElasticBatchd(["image", "label"], **{**SETTINGS, "spacing_mm": None})
    assert torch.equal(found.set_random_state(seed=2)(data)["image"], told["image"])


def test_what_cannot_be_used_is_refused():
    with pytest.raises(SettingError, match="spacing_mm"):
        RandAffineElasticBatchd(["image", "label"])(both())
    with pytest.raises(SettingError, match="patch_size"):
        RandAffineElasticBatchd("image", (3, 3))
    data = both()
    data["label"] = data["label"][..., :-1]
    with pytest.raises(GeometryError, match="label"):
        RandAffineElasticBatchd(["image", "label"], **SETTINGS)(data)


@pytest.mark.gpu
def test_a_seed_gives_the_same_on_a_gpu():
    transform = RandAffineElasticBatchd(["image", "label"], padding_value=-1.0, **SETTINGS)
    here = transform.set_random_state(seed=1)(both())
    there = transform.set_random_state(seed=1)(both("cuda"))
    assert there["image"].is_cuda
    torch.testing.assert_close(here["image"], there["image"].cpu(), atol=1e-3, rtol=0)
    assert (here["label"] != there["label"].cpu()).float().mean() < 1e-2

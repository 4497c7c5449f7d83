"""Where augmentation is done, and that a batch on the device is what the loader would have made."""

import nibabel
import numpy as np
import pytest
import torch
from monai.data import DataLoader

from pipeline.training import SampleDataset, SampleSampler, augments_on_device, collate_samples, prepare_samples
from transforms import training_chain
from transforms.augmentation import PATCH_KEY
from transforms.errors import SettingError

INPUT = {"spacing_mm": (2.0, 2.0, 3.0), "region": "all", "windows": [{"low": -1000, "high": 300}]}
CPU = torch.device("cpu")


@pytest.fixture
def cases(tmp_path):
    """Two small CTs with a lesion each."""
    rng, listed = np.random.default_rng(0), []
    for case in ("a", "b"):
        hu, label = rng.normal(-500, 200, (32, 30, 20)).astype(np.int16), np.zeros((32, 30, 20), np.uint8)
        label[10:20, 12:22, 6:12] = 1
        for key, array in (("image", hu), ("label", label)):
            nibabel.save(nibabel.Nifti1Image(array, np.diag([2.0, 2.0, 3.0, 1.0])), tmp_path / f"{case}_{key}.nii.gz")
        listed.append({"case": case} | {key: str(tmp_path / f"{case}_{key}.nii.gz") for key in ("image", "label")})
    return listed


def batches(cases, *, deferred, workers=0, slices=None, **settings):
    chain = training_chain(
        {**INPUT, "field_of_view": slices is None},
        classes={"background": 0, "lesion": 1},
        patch_size=(16, 16, 8),
        slices=slices,
        deformation={"elastic_mm": 3.0},
        deferred=deferred,
        **settings,
    )
    data = SampleDataset(cases, chain, seed=5)
    sampler = SampleSampler(data, 4, seed=5)
    loader = DataLoader(data, sampler=sampler, batch_size=2, num_workers=workers, collate_fn=collate_samples)
    return [prepare_samples(batch, CPU) for batch in loader]


@pytest.mark.parametrize("slices", [None, 3])
def test_both_places_give_the_same_patches(cases, slices):
    plain = {"flip_axes": (), "intensity": False, "slices": slices}
    here, there = batches(cases, deferred=False, **plain), batches(cases, deferred=True, **plain)
    for (image, label), (other_image, other_label) in zip(here, there, strict=True):
        assert type(other_image) is type(other_label) is torch.Tensor
        assert other_image.shape == image.shape
        torch.testing.assert_close(torch.as_tensor(image), other_image, atol=1e-4, rtol=0, check_dtype=True)
        assert (torch.as_tensor(label) != other_label).float().mean() < 1e-3


def test_workers_change_nothing(cases):
    alone, with_workers = (batches(cases, deferred=True, workers=workers) for workers in (0, 2))
    for (image, label), (other_image, other_label) in zip(alone, with_workers, strict=True):
        assert torch.equal(image, other_image)
        assert torch.equal(label, other_label)


def test_other_keys_of_a_sample_stay(cases):
    chain = training_chain(INPUT, classes={"background": 0, "lesion": 1}, patch_size=(8, 8, 8), deferred=True)
    data = SampleDataset(cases, chain)
    batch = collate_samples([data[0], data[1]])
    assert batch["case"] == ["a", "b"]
    assert len(batch[PATCH_KEY]) == 2


def test_by_default_a_gpu_augments_and_a_processor_does_not():
    assert [augments_on_device("auto", torch.device(name)) for name in ("cuda", "cpu")] == [True, False]
    assert augments_on_device("device", CPU)
    assert not augments_on_device("cpu", torch.device("cuda"))
    with pytest.raises(SettingError, match="augment_on"):
        augments_on_device("gpu", CPU)

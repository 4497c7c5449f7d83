"""The random transforms: drawn first, applied after, the same under a seed; what is said where there is no lung."""

import numpy as np
import pytest
import torch
from monai.data.meta_tensor import MetaTensor

from transforms import RandPaintLesions, RandPaintLesionsd
from transforms.errors import GeometryError, LabelError, SettingError
from transforms.synthesis import LesionRanges


def test_a_seed_repeats_both_forms(iso_chest):
    image, label = RandPaintLesions().set_random_state(seed=5)(iso_chest.image, iso_chest.mask)
    data = {"image": iso_chest.image, "lungs": iso_chest.mask, "case": "a"}
    painted = RandPaintLesionsd("image").set_random_state(seed=5)(data)
    assert torch.equal(torch.as_tensor(painted["image"]), torch.as_tensor(image))
    assert torch.equal(torch.as_tensor(painted["label"]), torch.as_tensor(label))
    assert painted["case"] == "a"
    assert "label" not in data
    other, _ = RandPaintLesions().set_random_state(seed=6)(iso_chest.image, iso_chest.mask)
    assert not torch.equal(torch.as_tensor(other), torch.as_tensor(image))


def test_what_was_drawn_can_be_painted_again(iso_chest):
    paint = RandPaintLesions().set_random_state(seed=1)
    first, _ = paint(iso_chest.image, iso_chest.mask)
    again, _ = paint(iso_chest.image, iso_chest.mask, randomize=False)
    anew, _ = paint(iso_chest.image, iso_chest.mask)
    assert torch.equal(torch.as_tensor(first), torch.as_tensor(again))
    assert not torch.equal(torch.as_tensor(first), torch.as_tensor(anew))


def test_grid_and_meta_are_kept(chest):
    given = chest.image
    given.meta["series_uid"] = "1.2.3"
    image, label = RandPaintLesions().set_random_state(seed=0)(given, chest.mask)
    for volume in (image, label):
        assert isinstance(volume, MetaTensor)
        assert volume.shape == given.shape
        assert np.allclose(volume.affine, chest.affine)
    assert image.meta["series_uid"] == "1.2.3"
    assert image.dtype == given.dtype
    assert label.dtype == torch.uint8


def test_a_share_of_the_volumes_stays_healthy(iso_chest):
    image, label = RandPaintLesions(prob=0.0).set_random_state(seed=0)(iso_chest.image, iso_chest.mask)
    assert torch.equal(torch.as_tensor(image), torch.as_tensor(iso_chest.image))
    assert not label.any()


def test_at_least_one_kind_is_drawn_of_those_that_may_be(iso_chest):
    rare = {"ground_glass": 0.0, "consolidation": 0.01, "pleural_effusion": 0.0}
    for seed in range(4):
        _, label = RandPaintLesions(rare).set_random_state(seed=seed)(iso_chest.image, iso_chest.mask)
        assert set(np.unique(label)) == {0, 2}


def test_labels_that_are_there_stay(iso_chest):
    before = torch.zeros_like(iso_chest.mask)
    before[0, 1:3, 1:3, 1:3] = 2
    data = {"image": iso_chest.image, "lungs": iso_chest.mask, "label": before}
    label = RandPaintLesionsd("image").set_random_state(seed=0)(data)["label"]
    assert (label[0, 1:3, 1:3, 1:3] == 2).all()
    assert label.sum() > before.sum()


def test_a_lung_that_the_volume_cuts_is_painted(iso_chest):
    half = iso_chest.image[:, :, :, :30], iso_chest.mask[:, :, :, :30]
    image, label = RandPaintLesions().set_random_state(seed=3)(*half)
    assert image.shape == half[0].shape
    assert label.any()


def test_one_lung_is_enough(iso_chest):
    left = iso_chest.mask * (iso_chest.mask == 1)
    ranges = {"ground_glass": 1.0, "pleural_effusion": 1.0}
    _, label = RandPaintLesions(ranges).set_random_state(seed=3)(iso_chest.image, left)
    assert set(np.unique(iso_chest.lungs[np.asarray(label[0]) > 0])) == {1}


def test_no_lung_is_an_error_that_says_so(iso_chest):
    with pytest.raises(LabelError, match="no lung to paint lesions into"):
        RandPaintLesions()(iso_chest.image, torch.zeros_like(iso_chest.mask))


def test_other_values_of_the_lung_mask_are_refused(iso_chest):
    with pytest.raises(LabelError, match="other values"):
        RandPaintLesions()(iso_chest.image, iso_chest.mask * 3)


def test_a_mask_of_another_grid_is_refused(iso_chest):
    with pytest.raises(GeometryError, match="another grid"):
        RandPaintLesions()(iso_chest.image, iso_chest.mask[:, 1:])


def test_what_is_no_volume_is_refused(iso_chest):
    with pytest.raises(GeometryError, match="one channel with its affine"):
        RandPaintLesions()(torch.zeros(1, 4, 4, 4), iso_chest.mask)
    with pytest.raises(GeometryError, match="one volume"):
        RandPaintLesionsd(["image", "other"])({"image": iso_chest.image, "other": iso_chest.image})


@pytest.mark.parametrize(
    "settings",
    [
        {"ground_glass": 1.5},
        {"severity": (0.8, 0.2)},
        {"radius_mm": (0.0, 5.0)},
        {"consolidation_density": (0.5, 1.2)},
        {"fluid_hu": (30.0, 0.0)},
        {"gravity": (0.0, 0.0, 0.0)},
        {"size": 3},
    ],
)
def test_ranges_that_cannot_be_used_are_refused(settings):
    with pytest.raises(SettingError):
        LesionRanges.of(settings)

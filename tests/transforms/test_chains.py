"""The named chains: what they give to the network, and that training, validation and inference give the same."""

import nibabel
import numpy as np
import pytest
import torch
from scipy import ndimage

from transforms import evaluation_chain, inference_chain, restoring_chain, training_chain, validation_chain
from transforms.errors import GeometryError, LabelError, SettingError

CLASSES = {"background": 0, "one": 1, "two": 2}
SETTINGS = {"spacing_mm": (2.0, 2.0, 3.0), "region": "all", "windows": [{"low": -1000, "high": 300}]}
FINE = {**SETTINGS, "spacing_mm": (1.0, 1.0, 1.25)}


@pytest.fixture
def case(tmp_path):
    """A block of tissue with two lesions on an LPS grid, as NIfTI files."""
    rng = np.random.default_rng(0)
    hu = rng.normal(-1000, 5, (40, 44, 20)).astype(np.int16)
    hu[8:32, 10:36, 2:18] = 40
    label = np.zeros(hu.shape, dtype=np.uint8)
    label[12:20, 14:24, 5:10] = 1
    label[22:30, 24:34, 9:16] = 2
    hu[label == 1] = -500
    affine = np.diag([-1.0, -1.0, 2.5, 1.0])
    affine[:3, 3] = (20, 22, -25)
    for name, array in (("image", hu), ("label", label)):
        nibabel.save(nibabel.Nifti1Image(array, affine), tmp_path / f"{name}.nii.gz")
    return {"case": "block", "image": str(tmp_path / "image.nii.gz"), "label": str(tmp_path / "label.nii.gz")}


def test_validation_and_inference_give_the_network_the_same(case):
    inferred = inference_chain(SETTINGS)(dict(case))
    validated = validation_chain(SETTINGS, classes=CLASSES)(dict(case))
    evaluated = evaluation_chain(SETTINGS, classes=CLASSES)(dict(case))
    assert torch.equal(inferred["image"], validated["image"])
    assert torch.equal(inferred["image"], evaluated["image"])
    assert validated["label"].shape == validated["image"].shape
    assert inferred["image"].min() >= 0
    assert inferred["image"].max() <= 1


def test_the_native_volume_stays_as_it_was_read(case):
    out = inference_chain(SETTINGS)(dict(case))
    read = nibabel.load(case["image"])
    np.testing.assert_array_equal(out["native"][0].numpy(), np.asanyarray(read.dataobj))
    np.testing.assert_allclose(out["native"].affine.numpy(), read.affine)


def test_perfect_logits_come_back_as_the_reference(case):
    out = evaluation_chain(FINE, classes=CLASSES)(dict(case))
    fine = validation_chain(FINE, classes=CLASSES)(dict(case))
    logits = torch.nn.functional.one_hot(fine["label"][0].long(), 3).permute(3, 0, 1, 2).float() * 20
    restored = restoring_chain(classes=CLASSES)({**out, "pred": logits})["pred"]
    assert restored.shape == out["label"].shape
    assert (restored == out["label"]).float().mean() > 0.995


def test_small_components_are_removed_on_request(case):
    out = evaluation_chain(SETTINGS, classes=CLASSES)(dict(case))
    fine = validation_chain(SETTINGS, classes=CLASSES)(dict(case))
    logits = torch.nn.functional.one_hot(fine["label"][0].long(), 3).permute(3, 0, 1, 2).float() * 20
    logits[1, 0:2, 0:2, 0:2] = 99
    kept = restoring_chain(classes=CLASSES)({**out, "pred": logits.clone()})["pred"]
    cleaned = restoring_chain(classes=CLASSES, min_component_ml=0.5)({**out, "pred": logits})["pred"]
    assert (kept == 1).sum() > (cleaned == 1).sum() > 0
    assert (cleaned == 2).sum() == (kept == 2).sum()


def test_of_a_class_the_largest_component_alone_stays_on_request(case):
    out = evaluation_chain(SETTINGS, classes=CLASSES)(dict(case))
    fine = validation_chain(SETTINGS, classes=CLASSES)(dict(case))
    logits = torch.nn.functional.one_hot(fine["label"][0].long(), 3).permute(3, 0, 1, 2).float() * 20
    logits[1, 0:2, 0:2, 0:2] = 99
    logits[2, -2:, -2:, -2:] = 99
    kept = restoring_chain(classes=CLASSES)({**out, "pred": logits.clone()})["pred"]
    largest = restoring_chain(classes=CLASSES, keep_largest=["one"])({**out, "pred": logits})["pred"]
    components, count = ndimage.label(kept[0] == 1, np.ones((3, 3, 3)))
    assert count > 1
    expected = components == np.bincount(components.ravel())[1:].argmax() + 1
    np.testing.assert_array_equal(largest[0] == 1, expected)
    np.testing.assert_array_equal(largest == 2, kept == 2)


def test_a_class_that_is_not_there_has_no_largest_component():
    for wrong in (["nodule"], ["background"], "one"):
        with pytest.raises(SettingError, match="keep_largest"):
            restoring_chain(classes=CLASSES, keep_largest=wrong)


@pytest.mark.parametrize(("slices", "image_shape"), [(None, (1, 16, 16, 8)), (3, (3, 16, 16))])
def test_training_patches_in_3d_and_slabs(case, slices, image_shape):
    chain = training_chain(
        SETTINGS,
        classes=CLASSES,
        patch_size=(16, 16, 8),
        slices=slices,
        deformation={"elastic_mm": 3.0},
        foreground=1.0,
    )
    chain.set_random_state(seed=0)
    out = chain(dict(case))
    assert out["image"].shape == image_shape
    assert out["label"].shape == (1, *image_shape[1:])
    assert out["label"].any()


def test_labels_can_be_merged(case):
    out = validation_chain(SETTINGS, classes={"background": 0, "lesion": 1}, merge=[[0], [1, 2]])(dict(case))
    plain = validation_chain(SETTINGS, classes=CLASSES)(dict(case))
    assert torch.equal(out["label"].as_tensor(), (plain["label"].as_tensor() > 0).to(torch.uint8))


def test_labels_outside_the_classes_are_refused(case):
    with pytest.raises(RuntimeError) as caught:
        validation_chain(SETTINGS, classes={"background": 0, "one": 1})(dict(case))
    assert isinstance(caught.value.__cause__, LabelError)


def test_image_and_label_of_different_grids_are_refused(case):
    image = nibabel.load(case["label"])
    shifted = image.affine.copy()
    shifted[0, 3] += 5
    nibabel.save(nibabel.Nifti1Image(np.asanyarray(image.dataobj), shifted), case["label"])
    with pytest.raises(RuntimeError) as caught:
        validation_chain(SETTINGS, classes=CLASSES)(dict(case))
    assert isinstance(caught.value.__cause__, GeometryError)


@pytest.mark.parametrize("values", [(0, 5), (1, 2), (0, 0)])
def test_classes_that_do_not_number_channels_are_refused(values):
    classes = dict(zip(("background", "one"), values, strict=True))
    for make in (lambda: restoring_chain(classes=classes), lambda: validation_chain(SETTINGS, classes=classes)):
        with pytest.raises(SettingError, match="merge"):
            make()


def test_other_values_are_read_through_merge(case):
    label = nibabel.load(case["label"])
    nibabel.save(
        nibabel.Nifti1Image((np.asanyarray(label.dataobj) > 0).astype(np.uint8) * 5, label.affine), case["label"]
    )
    out = validation_chain(SETTINGS, classes={"background": 0, "one": 1}, merge=[[0], [5]])(dict(case))
    assert out["label"].max() == 1


def test_the_field_of_view_is_a_channel_and_ends_where_the_volume_ends(case):
    seeing = {**SETTINGS, "field_of_view": True}
    inferred = inference_chain(seeing)(dict(case))["image"]
    assert torch.equal(inferred[:1], inference_chain(SETTINGS)(dict(case))["image"])
    assert (inferred[1] == 1).all()
    chain = training_chain(seeing, classes=CLASSES, patch_size=(32, 32, 24), flip_axes=(0,))
    chain.set_random_state(seed=0)
    patch = chain(dict(case))["image"]
    assert patch.shape == (2, 32, 32, 24)
    volume = np.prod(inferred.shape[1:])
    assert volume * 0.9 < patch[1].sum() < volume * 1.1


def test_margins_are_cut_before_a_patch_is_taken(case):
    chain = training_chain(
        {**SETTINGS, "field_of_view": True}, classes=CLASSES, patch_size=(32, 32, 24), cut_margins=1.0
    )
    chain.set_random_state(seed=1)
    out = chain(dict(case))
    volume = np.prod(inference_chain(SETTINGS)(dict(case))["image"].shape[1:])
    assert out["image"][1].sum() < volume * 0.8
    assert out["label"].any()


def test_slabs_have_no_field_of_view(case):
    with pytest.raises(SettingError, match="slab"):
        training_chain({**SETTINGS, "field_of_view": True}, classes=CLASSES, patch_size=(16, 16, 8), slices=3)

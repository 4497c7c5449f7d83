"""From files to the network's input: pictures, slices of volumes, slabs, training inputs."""

import pickle

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.transforms import Compose
from monai.utils import set_determinism
from PIL import Image

from transforms import LoadSliced, SliceInput, ToProbabilitiesd, slice_inference_chain, slice_training_chain
from transforms.errors import DataListError, IntensityError, SettingError
from transforms.slices import read_stack, slice_augmentation

PLAIN = {"image_size": [48, 64], "region": "all", "blank_outside": False}


def save_ct(path, hu, codes="RAS", spacing=(2.0, 2.0, 3.0)):
    ras = nib.Nifti1Image(hu, np.diag([*spacing, 1.0]))
    here = nib.orientations.axcodes2ornt(codes)
    nib.save(ras.as_reoriented(nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), here)), path)
    return path


@pytest.mark.parametrize("codes", ["RAS", "LPS", "LAI", "SRP"])
def test_a_volume_is_seen_as_a_radiologist_sees_it(tmp_path, codes):
    hu = np.full((20, 24, 6), -1000, dtype=np.int16)
    hu[2:5, 20:23, 1] = 40  # the patient's left (low x is right-to-left in RAS), in front
    stack = read_stack(save_ct(tmp_path / "a.nii.gz", hu, codes))
    assert stack.hu.shape == (6, 24, 20)
    rows, columns = np.nonzero(stack.hu[1] == 40)
    assert rows.max() < 12  # front is on top
    assert columns.min() > 9  # low x, the patient's left, is on the right
    own = 4 if codes == "LAI" else 1
    assert stack.position(own) == 1
    with pytest.raises(DataListError, match="0 to 5"):
        stack.position(6)


def test_a_picture_is_taken_for_hu_in_its_window(tmp_path, chest):
    Image.fromarray(chest).save(tmp_path / "a.png")
    stack = read_stack(tmp_path / "a.png")
    assert (stack.hu.min(), stack.hu.max()) == pytest.approx((-1350, -1350 + 200 / 255 * 1500), rel=1e-4)
    image = LoadSliced("image", SliceInput(**PLAIN))({"image": str(tmp_path / "a.png")})["image"]
    assert image.shape == (1, 48, 64)
    assert float(image.max()) == pytest.approx(200 / 255, rel=1e-3)


def test_a_volume_and_its_windowed_picture_become_the_same_input(tmp_path, chest_ct):
    path, _ = chest_ct
    stack = read_stack(path)
    gray = np.clip((stack.hu[len(stack) // 2] + 1350) / 1500 * 255, 0, 255)
    Image.fromarray(np.rint(gray).astype(np.uint8)).save(tmp_path / "a.png")
    settings = {"image_size": [96, 96], "region": "body", "blank_outside": True}
    load = LoadSliced("image", settings)
    own = next(index for index in range(len(stack)) if stack.position(index) == len(stack) // 2)
    one, other = load({"image": str(path), "slice": own}), load({"image": str(tmp_path / "a.png")})
    assert one["image"].meta["box"] == other["image"].meta["box"]
    assert float((one["image"] - other["image"]).abs().max()) < 0.01


def test_slabs_hold_neighbours_and_pictures_are_repeated(tmp_path, chest):
    hu = np.arange(5, dtype=np.int16)[None, None] * 100 - 900 + np.zeros((20, 20, 1), dtype=np.int16)
    load = LoadSliced("image", {**PLAIN, "slices": 3, "windows": [{"low": -1000, "high": 0}]})
    image = load({"image": str(save_ct(tmp_path / "a.nii.gz", hu)), "slice": 4})["image"]
    assert image.shape == (3, 48, 64)
    assert image.mean(dim=(1, 2)).tolist() == pytest.approx([0.4, 0.5, 0.5], abs=1e-3)
    Image.fromarray(chest).save(tmp_path / "a.png")
    picture = load({"image": str(tmp_path / "a.png")})["image"]
    assert torch.equal(picture[0], picture[2])


def test_channels_are_windows_times_slices_times_copies(tmp_path, chest):
    Image.fromarray(chest).save(tmp_path / "a.png")
    settings = SliceInput(**PLAIN, windows=["lung", "mediastinum"], slices=3, copies=2)
    assert settings.channels == 12
    assert LoadSliced("image", settings)({"image": str(tmp_path / "a.png")})["image"].shape == (12, 48, 64)


def test_the_last_volume_is_read_once(chest_ct, monkeypatch):
    import transforms.slices.load as module

    calls = []
    monkeypatch.setattr(module, "read_stack", lambda *args, **kwargs: calls.append(args) or read_stack(*args, **kwargs))
    load = pickle.loads(pickle.dumps(LoadSliced("image", PLAIN)))
    for index in (3, 4, 5):
        load({"image": str(chest_ct[0]), "slice": index})
    assert len(calls) == 1


def test_slices_with_lung_are_chosen(chest_ct):
    path, phantom = chest_ct
    case = slice_inference_chain({**PLAIN, "image_size": [32, 32]})({"image": str(path)})
    lungs = np.asarray(phantom.lungs > 0)
    pixel_cm2 = 4 * 4 / 100
    area = lungs.sum(axis=(0, 1)) * pixel_cm2
    assert case["depth"] == lungs.shape[2]
    assert set(np.flatnonzero(area > 40)) <= set(case["slices"])
    assert len(set(np.flatnonzero(area > 10)) ^ set(case["slices"])) <= 0.1 * case["depth"]
    assert case["slices"] == sorted(case["slices"])
    assert case["image"].shape == (len(case["slices"]), 1, 32, 32)
    assert len(case["boxes"]) == len(case["slices"])


def test_a_flipped_volume_gives_the_same_slices_counted_from_the_other_end(chest_ct, tmp_path):
    path, _ = chest_ct
    flipped = nib.load(path).as_reoriented(np.array([[0, 1], [1, 1], [2, -1]]))
    nib.save(flipped, tmp_path / "flipped.nii.gz")
    chain = slice_inference_chain({**PLAIN, "image_size": [32, 32]})
    one, other = chain({"image": str(path)}), chain({"image": str(tmp_path / "flipped.nii.gz")})
    assert [one["depth"] - 1 - index for index in other["slices"]][::-1] == one["slices"]
    assert torch.equal(one["image"].as_tensor(), other["image"].as_tensor().flip(0))


def test_a_volume_without_lung_is_refused(tmp_path):
    hu = np.full((60, 60, 20), -1000, dtype=np.int16)
    hu[15:45, 15:45] = 40
    path = save_ct(tmp_path / "leg.nii.gz", hu, spacing=(4, 4, 5))
    with pytest.raises(IntensityError, match="no lungs") as caught:
        slice_inference_chain(PLAIN).transforms[0]({"image": str(path)})
    assert str(path) in str(caught.value)


def test_training_inputs_vary_and_repeat_with_the_seed(tmp_path, chest):
    Image.fromarray(chest).save(tmp_path / "a.png")
    chain = slice_training_chain(
        {**PLAIN, "image_size": [48, 48]}, shorter_side=60, augmentation={"crop_scale": 0.5, "holes": 2}
    )
    item = {"image": str(tmp_path / "a.png")}
    images = []
    for seed in (1, 1, 2):
        chain.set_random_state(seed=seed)
        images.append(chain(item)["image"])
    assert images[0].shape == (1, 48, 48)
    assert torch.equal(images[0].as_tensor(), images[1].as_tensor())
    assert not torch.equal(images[0].as_tensor(), images[2].as_tensor())
    set_determinism(None)


def test_a_shift_of_intensity_moves_all_grays_alike():
    steps = slice_augmentation((20, 20), flip=False, affine_prob=0, intensity=0, intensity_shift=0.1)
    image = torch.linspace(0.2, 0.8, 400).reshape(1, 20, 20)
    chain = Compose(steps).set_random_state(seed=1)
    moved = [chain({"image": image})["image"] - image for _ in range(5)]
    assert all(float(change.max() - change.min()) < 1e-6 for change in moved)
    sizes = [abs(float(change.mean())) for change in moved]
    assert len({round(size, 5) for size in sizes}) == 5
    assert max(sizes) <= 0.1


def test_probabilities_of_one_and_of_several_logits():
    two = ToProbabilitiesd()({"pred": torch.tensor([[0.0, 2.0]])})["pred"]
    one = ToProbabilitiesd()({"pred": torch.tensor([[2.0]])})["pred"]
    torch.testing.assert_close(one, two)
    assert float(one.sum()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"region": "chest"}, "region"),
        ({"slices": 2}, "odd"),
        ({"image_size": [0, 3]}, "image_size"),
        ({"windows": []}, "window"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, word):
    with pytest.raises(SettingError, match=word):
        SliceInput(**settings)

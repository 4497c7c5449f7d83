"""HU windows: what each form of a setting means, and that scaled values are right to the last digit."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import ScaleIntensityRanged

from transforms.errors import SettingError
from transforms.hu_windows import PRESETS, HUWindow, HUWindows, HUWindowsd, parse_windows


def volume(dtype=torch.int16, shape=(1, 6, 5, 4)) -> MetaTensor:
    values = torch.randint(-3024, 3000, shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    affine = torch.diag(torch.tensor([-0.7, -0.7, 2.5, 1.0], dtype=torch.float64))
    return MetaTensor(
        values, affine=affine, meta={"filename_or_obj": "ct.nii.gz", "spatial_shape": np.array(shape[1:])}
    )


@pytest.mark.parametrize(
    ("form", "low", "high"),
    [
        ("lung", -1350, 150),
        ("mediastinum", -160, 240),
        ("bone", -500, 1300),
        ("lesion", -1000, 300),
        ({"center": -600, "width": 1500}, -1350, 150),
        ({"low": -200, "high": 250.5}, -200, 250.5),
        (HUWindow(low=1, high=2), 1, 2),
    ],
)
def test_every_form_of_a_window(form, low, high):
    assert HUWindow.from_config(form) == HUWindow(low=low, high=high)


def test_one_window_may_stand_without_a_list():
    assert parse_windows("lung") == parse_windows(["lung"]) == (PRESETS["lung"],)


def test_an_unknown_name_lists_the_presets():
    with pytest.raises(SettingError, match="found lungs; expected lung, mediastinum, bone, lesion"):
        HUWindow.from_config("lungs")


@pytest.mark.parametrize(
    "form",
    [
        {"low": 5, "high": 5},
        {"low": 300, "high": -1000},
        {"center": 0, "width": 0},
        {"center": 0, "width": -10},
        {"low": -1000},
        {"low": -1000, "high": 300, "center": 0},
        {"low": "-1e3", "high": 300},
        {"low": float("nan"), "high": 300},
        {"low": True, "high": 300},
        7,
        None,
    ],
)
def test_a_window_that_cannot_be_is_refused(form):
    with pytest.raises(SettingError):
        HUWindow.from_config(form)


@pytest.mark.parametrize("dtype", [torch.int16, torch.float32, torch.float64])
def test_unit_scaling_equals_monai(dtype):
    image = volume(dtype)
    stock = ScaleIntensityRanged("image", -1000, 300, 0, 1, clip=True)({"image": image.to(torch.float32)})["image"]
    ours = HUWindowsd("image")({"image": image})["image"]
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours.as_tensor(), stock.as_tensor(), atol=2e-7, rtol=0)


def test_meta_and_affine_stay_and_the_input_is_untouched():
    image = volume(torch.float32)
    before = image.clone()
    windowed = HUWindowsd("image", ["lung", "mediastinum", {"low": 0, "high": 10}])({"image": image})["image"]
    assert isinstance(windowed, MetaTensor)
    assert windowed.shape == (3, 6, 5, 4)
    assert torch.equal(windowed.affine, before.affine)
    assert windowed.meta["filename_or_obj"] == "ct.nii.gz"
    assert torch.equal(image.as_tensor(), before.as_tensor())
    windowed.meta["region"] = "lungs"
    assert "region" not in image.meta


def test_each_window_is_a_channel():
    hu = np.array([[[-1350, -600, 150], [-160, 40, 240]]], dtype=np.int16)
    channels = HUWindows(["lung", "mediastinum"])(hu)
    expected = [[[0, 0.5, 1], [1190 / 1500, 1390 / 1500, 1]], [[0, 0, 310 / 400], [0, 0.5, 1]]]
    torch.testing.assert_close(channels, torch.tensor(expected, dtype=torch.float32))


def test_zscore_is_of_the_clipped_volume():
    hu = torch.tensor([[[-2000.0, -1000.0, 300.0, 5000.0]]])
    torch.testing.assert_close(HUWindows("lesion", "zscore")(hu), torch.tensor([[[-1.0, -1.0, 1.0, 1.0]]]))
    assert not HUWindows("lesion", "zscore")(torch.full((1, 2, 2), 7.0)).any()


def test_dataset_numbers_one_for_all_or_one_a_window():
    hu = torch.tensor([[[-2000, 100]]], dtype=torch.int16)
    torch.testing.assert_close(HUWindows("lesion", "dataset", -500, 200)(hu), torch.tensor([[[-2.5, 3.0]]]))
    both = HUWindows(["lesion", "mediastinum"], "dataset", [-500, 0], [200, 100])(hu)
    torch.testing.assert_close(both, torch.tensor([[[-2.5, 3.0]], [[-1.6, 1.0]]]))


def test_result_type_is_chosen():
    assert HUWindows(dtype=torch.float16)(volume()).dtype == torch.float16


@pytest.mark.parametrize(
    "settings",
    [
        {"scaling": "minmax"},
        {"scaling": "dataset"},
        {"scaling": "dataset", "mean": 0},
        {"scaling": "dataset", "mean": 0, "std": 0},
        {"scaling": "dataset", "mean": [0, 1], "std": 1},
        {"scaling": "dataset", "mean": "0", "std": 1},
        {"scaling": "unit", "mean": 0, "std": 1},
        {"windows": []},
    ],
)
def test_settings_that_cannot_work_are_refused(settings):
    with pytest.raises(SettingError):
        HUWindowsd("image", **settings)


def test_a_volume_of_several_channels_is_refused():
    with pytest.raises(SettingError, match="one channel"):
        HUWindows()(torch.zeros(2, 3, 3))

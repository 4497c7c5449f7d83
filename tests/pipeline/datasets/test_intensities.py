"""Intensities of a training set: numbers worked out by hand, and the command that prints them."""

import json

import nibabel as nib
import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from pipeline.cli.intensities import intensities
from pipeline.datasets.intensities import measure_intensities
from transforms.errors import DataListError, GeometryError, SettingError
from transforms.hu_windows import HUWindow, HUWindows

SHAPE = (20, 10, 8)


def write(path, voxels):
    path.parent.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(voxels, np.diag([1.0, 1.0, 2.0, 1.0])), path)
    return str(path)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """One case half −1000 and half 0, one all 600; in the second a single voxel of −200 is labelled."""
    root = tmp_path_factory.mktemp("dataset")
    first = np.full(SHAPE, -1000, dtype=np.int16)
    first[10:] = 0
    second = np.full(SHAPE, 600, dtype=np.int16)
    second[3, 4, 5] = -200
    labels = [np.zeros(SHAPE, dtype=np.uint8), np.zeros(SHAPE, dtype=np.uint8)]
    labels[0][10:, :, :4] = 1
    labels[1][3, 4, 5] = 2
    training = []
    for name, image, label in zip(("one", "two"), (first, second), labels, strict=True):
        write(root / "imagesTr" / f"{name}.nii.gz", image)
        write(root / "labelsTr" / f"{name}.nii.gz", label)
        training.append({"image": f"imagesTr/{name}.nii.gz", "label": f"labelsTr/{name}.nii.gz"})
    write(root / "imagesTr" / "three.nii.gz", np.full(SHAPE, 37, dtype=np.int16))
    validation = [{"image": "imagesTr/three.nii.gz", "label": training[0]["label"]}]
    (root / "dataset.json").write_text(json.dumps({"training": training, "validation": validation}))
    return root


@pytest.fixture
def data(dataset):
    return [
        {
            key: str(dataset / folder / f"{name}.nii.gz")
            for key, folder in (("image", "imagesTr"), ("label", "labelsTr"))
        }
        for name in ("one", "two")
    ]


def test_all_voxels(data):
    measured = measure_intensities(data)
    # 800 voxels of −1000, 800 of 0, 1599 of 600 and one of −200
    mean = (-800_000 + 959_400 - 200) / 3200
    square = (800 * 1e6 + 1599 * 36e4 + 4e4) / 3200
    assert measured.mean == pytest.approx(mean, rel=1e-12)
    assert measured.std == pytest.approx((square - mean**2) ** 0.5, rel=1e-12)
    assert (measured.percentile_00_5, measured.percentile_50, measured.percentile_99_5) == (-1000, 0, 600)
    assert (measured.voxels, measured.cases) == (3200, 2)


def test_the_window_clips_first(data):
    measured = measure_intensities(data, window={"low": -400, "high": 100})
    mean = (-400 * 800 - 200 + 100 * 1599) / 3200
    assert measured.mean == pytest.approx(mean, rel=1e-12)
    assert (measured.percentile_00_5, measured.percentile_50, measured.percentile_99_5) == (-400, 0, 100)


def test_the_foreground_only(data):
    measured = measure_intensities(data, label_key="label")
    # 400 voxels of 0 and one of −200
    assert measured.voxels == 401
    assert measured.mean == pytest.approx(-200 / 401, rel=1e-12)
    assert measured.std == pytest.approx((200**2 / 401 - (200 / 401) ** 2) ** 0.5, rel=1e-12)
    assert (measured.percentile_00_5, measured.percentile_50) == (0, 0)


def test_fractions_of_hu_are_measured_exactly(tmp_path):
    voxels = np.random.default_rng(0).normal(-500, 300, SHAPE).astype(np.float32)
    voxels[0] = -1000
    measured = measure_intensities([{"image": write(tmp_path / "ct" / "a.nii", voxels)}])
    assert measured.mean == pytest.approx(voxels.astype(np.float64).mean(), rel=1e-10)
    assert measured.std == pytest.approx(voxels.astype(np.float64).std(), rel=1e-10)
    assert measured.percentile_50 == pytest.approx(np.median(voxels), abs=2)


def test_scaling_with_the_numbers_gives_mean_0_and_deviation_1(data):
    measured = measure_intensities(data, window="lesion")
    scale = HUWindows("lesion", "dataset", measured.mean, measured.std)
    volumes = [np.asarray(nib.load(item["image"]).dataobj)[None] for item in data]
    scaled = np.concatenate([scale(volume).numpy().ravel() for volume in volumes])
    assert scaled.mean() == pytest.approx(0, abs=1e-5)
    assert scaled.std() == pytest.approx(1, abs=1e-5)


def test_nothing_to_measure_is_an_error(data):
    with pytest.raises(DataListError, match="no voxel to measure"):
        measure_intensities([])
    with pytest.raises(DataListError, match="a case has no mask"):
        measure_intensities(data, label_key="mask")
    with pytest.raises(DataListError, match="no voxel to measure"):
        measure_intensities([{"image": data[0]["image"], "label": _empty(data)}], label_key="label")


def _empty(data):
    path = data[0]["label"].replace("labelsTr/one", "empty")
    nib.save(nib.Nifti1Image(np.zeros(SHAPE, dtype=np.uint8), np.diag([1.0, 1.0, 2.0, 1.0])), path)
    return path


def test_a_label_map_on_another_grid_is_refused(data, tmp_path):
    label = write(tmp_path / "labels" / "a.nii", np.ones((20, 10, 7), dtype=np.uint8))
    with pytest.raises(GeometryError):
        measure_intensities([{"image": data[0]["image"], "label": label}], label_key="label")


def test_the_command_prints_lines_for_the_configuration(dataset, data):
    result = CliRunner().invoke(intensities, [str(dataset), "--window", "lesion"], catch_exceptions=False)
    assert result.exit_code == 0
    settings = yaml.safe_load(result.stdout[result.stdout.index("windows:") :])
    measured = measure_intensities(data, window="lesion")
    assert HUWindow.from_config(settings["windows"][0]) == HUWindow.from_preset("lesion")
    assert settings["scaling"]["mean"] == pytest.approx(measured.mean, abs=0.01)
    HUWindows(settings["windows"], **settings["scaling"])


def test_the_command_prints_json(dataset):
    result = CliRunner().invoke(intensities, [str(dataset), "--foreground", "--json"], catch_exceptions=False)
    printed = json.loads(result.stdout)
    assert printed["voxels"] == 401
    assert printed["foreground"] is True
    assert printed["window"] is None


def test_an_unknown_window_is_refused(dataset):
    with pytest.raises(SettingError, match="lung, mediastinum, bone, lesion"):
        CliRunner().invoke(intensities, [str(dataset), "--window", "lungs"], catch_exceptions=False)

"""The recipes train end to end, on small data in their own layout."""

import json
from importlib.util import find_spec

import nibabel as nib
import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from pipeline.phantom import PhantomSpec, make_phantom

pytestmark = pytest.mark.slow


def saved(path):
    return torch.load(path, weights_only=True)


def recipe_run(run_bundle, bundle, configs, data, out, **keys):
    settings = {"dataset_dir": data, "ckpt_dir": out, "max_epochs": 1, "device": "$torch.device('cpu')", **keys}
    result = run_bundle(bundle, f"train {configs}", settings)
    assert result.returncode == 0, result.stderr
    return saved(out / "last.pt")


@pytest.fixture(scope="module")
def hu_slices(tmp_path_factory):
    """Two volumes in HU whose slices have labels."""
    folder = tmp_path_factory.mktemp("hu")
    generator = np.random.default_rng(0)
    entries = {"training": [], "validation": []}
    for split, name in (("training", "a"), ("validation", "b")):
        hu = generator.normal(-600, 300, (48, 48, 8)).astype(np.int16)
        hu[12:36, 12:36, 4:] = 40
        nib.save(nib.Nifti1Image(hu, np.diag([5.0, 5.0, 5.0, 1.0])), folder / f"{name}.nii.gz")
        for index in range(8):
            label = "COVID" if index >= 4 else "NonCOVID"
            entries[split].append({"image": f"{name}.nii.gz", "label": label, "slice": index, "patient": name})
    (folder / "dataset.json").write_text(json.dumps(entries))
    return folder


CXR = {"normal": (), "pneumonia": ("consolidation",), "COVID-19": ("ground_glass",)}
"""Classes of radiographs, and what the phantoms behind them have."""


def projected(phantom, exposure):
    """A radiograph `(rows, columns)` of a chest CT: what its rays lose from back to front, dense parts white."""
    attenuation = np.clip(phantom.hu / 1000.0 + 1, 0, None).sum(axis=1)
    film = np.flipud(attenuation.T)  # head up
    return np.clip(film / np.percentile(film, 99) * exposure, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def covidx(tmp_path_factory):
    """Radiographs of phantom CTs in the layout of COVIDx: 8 normal, 4 of pneumonia, 2 of COVID-19, and 3 to test."""
    folder = tmp_path_factory.mktemp("covidx")
    counts = {"train": dict(zip(CXR, (8, 4, 2), strict=True)), "test": dict.fromkeys(CXR, 1)}
    for split, of_class in counts.items():
        (folder / split).mkdir()
        lines = []
        for name, count in of_class.items():
            spec = PhantomSpec(
                seed=3 if split == "test" else 2, spacing_mm=(5.0, 5.0, 5.0), lesions=CXR[name], severity=0.9
            )
            phantom = make_phantom(spec)
            for number in range(count):
                file, mode = f"{name} ({number}).png", ("L", "RGB")[number % 2]
                Image.fromarray(projected(phantom, 200 + 10 * number)).convert(mode).save(folder / split / file)
                # Each source numbers its patients by itself.
                lines.append(f"{number} {file} {name} {split}-{name}")
        (folder / f"{split}_COVIDx.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_covid_net_on_radiographs(run_bundle, slice_bundle, covidx, table, tmp_path):
    run, small = tmp_path / "run", {"image_size": [64, 64], "device": "$torch.device('cpu')"}
    last = recipe_run(run_bundle, slice_bundle, "recipes/covid_net_cxr", covidx, run, **small)
    (group,) = last["optimizer"]["param_groups"]
    assert (group["lr"], group["betas"]) == (pytest.approx(2e-5), (0.9, 0.999))
    assert saved(run / "best.pt")["head.weight"].shape == (3, 256)
    keys = {"dataset_dir": covidx, "ckpt_dir": run, "output_dir": tmp_path / "test", "split": "test", **small}
    result = run_bundle(slice_bundle, "train evaluate recipes/covid_net_cxr", {**keys, "bootstrap_samples": 10})
    assert result.returncode == 0, result.stderr
    metrics = json.loads((tmp_path / "test" / "metrics.json").read_text())
    assert np.shape(metrics["confusion_matrix"]["rows_are_truth"]) == (3, 3)
    keys = {"dataset_dir": covidx / "test", "output_dir": tmp_path / "out", "weights": run / "best.pt", **small}
    result = run_bundle(slice_bundle, "inference recipes/covid_net_cxr", {**keys, "gradcam": 1})
    assert result.returncode == 0, result.stderr
    rows = table(tmp_path / "out" / "predictions.csv")
    assert len(rows) == 3
    assert {"p_normal", "p_pneumonia", "p_COVID-19"} <= set(rows[0])
    assert len(list((tmp_path / "out").glob("*/gradcam/*.png"))) == 3


def test_covid_net_takes_any_named_network(run_bundle, slice_bundle, covidx, tmp_path):
    keys = {"architecture": "resnet18", "image_size": [64, 64]}
    recipe_run(run_bundle, slice_bundle, "recipes/covid_net_cxr", covidx, tmp_path, **keys)
    assert saved(tmp_path / "best.pt")["fc.weight"].shape == (3, 512)


@pytest.mark.parametrize("name", ["corona_net", "covid_ct_vgg19", "covid_net_cxr"])
def test_recipes_leave_the_grays_as_they_are(slice_bundle, name):
    """Ranks of grays, the bundle's default, would undo the means and deviations that recipes name."""
    recipe = yaml.safe_load((slice_bundle / "configs" / "recipes" / f"{name}.yaml").read_text())
    assert recipe["tones"] == "shown"


def test_slabs_of_volumes_train_too(run_bundle, slice_bundle, hu_slices, tmp_path):
    """2.5D: three neighbours as the channels of one input."""
    keys = {"architecture": "resnet18", "slices": 3, "image_size": [64, 64], "tones": "shown"}
    recipe_run(run_bundle, slice_bundle, "", hu_slices, tmp_path, **keys)
    assert saved(tmp_path / "best.pt")["conv1.weight"].shape[1] == 3


def test_corona_net(run_bundle, slice_bundle, hu_slices, tmp_path):
    last = recipe_run(
        run_bundle, slice_bundle, "one_logit recipes/corona_net", hu_slices, tmp_path, image_size=[64, 64]
    )
    (group,) = last["optimizer"]["param_groups"]
    assert group["lr"] == pytest.approx(1e-5)
    assert "_fc.1.weight" in saved(tmp_path / "best.pt")
    assert saved(tmp_path / "best.pt")["_fc.1.weight"].shape == (1, 1280)


@pytest.mark.parametrize(
    "architecture",
    [
        pytest.param("vgg19_bn", marks=pytest.mark.skipif(find_spec("torchvision") is None, reason="no torchvision")),
        "resnet18",
    ],
)
def test_covid_ct_vgg19(run_bundle, slice_bundle, slice_data, tmp_path, architecture):
    configs = "moving_average recipes/covid_ct_vgg19"
    last = recipe_run(run_bundle, slice_bundle, configs, slice_data, tmp_path, architecture=architecture)
    (group,) = last["optimizer"]["param_groups"]
    assert (group["lr"], group["momentum"]) == (pytest.approx(0.01), 0.9)
    assert last["early_stop"]["counts"] == {"val_loss": 0, "val_accuracy": 0}
    first = next(iter(saved(tmp_path / "best.pt").values()))
    assert first.shape[1] == 3

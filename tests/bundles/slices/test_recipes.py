"""The recipes train end to end, on small data in their own layout."""

import json
from importlib.util import find_spec

import nibabel as nib
import numpy as np
import pytest
import torch

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

"""The recipes train end to end, on small data in their own layout, and segment it and whole CTs slice by slice."""

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

pytestmark = pytest.mark.slow

SMALL = {"device": "$torch.device('cpu')", "image_size": [64, 64], "patch_size": [64, 64]}
TINY_UNET = {"network_def#features": [4, 4, 8, 8, 16, 4]}
TINY_ELU = {"network_def#channels": [4, 8, 16], "network_def#dropout": [0.0, 0.0, 0.0]}


@pytest.fixture
def recipe(run_bundle, bundle, tmp_path):
    """Trains one epoch, evaluates, and segments studies, each into its own folder; gives the folder."""

    def run(name, data, *studies, network, **keys):
        own = {**SMALL, **network, "ckpt_dir": tmp_path / "run"}
        fit = {"dataset_dir": data, "max_epochs": 1, "num_workers": 0, "train_batch_size": 2, **own, **keys}
        results = [run_bundle(bundle, f"train recipes/{name}", fit)]
        results.append(run_bundle(bundle, f"train evaluate recipes/{name}", {"dataset_dir": data, **own, **keys}))
        for number, study in enumerate(studies):
            segment = {"dataset_dir": study, "output_dir": tmp_path / f"out{number}", **SMALL, **network}
            weights = {"weights": tmp_path / "run" / "best.pt"}
            results.append(run_bundle(bundle, f"inference recipes/{name}", segment | weights))
        for result in results:
            assert result.returncode == 0, result.stderr
        return tmp_path

    return run


def group_of(folder):
    (group,) = torch.load(folder / "run" / "last.pt", weights_only=True)["optimizer"]["param_groups"]
    return group


def curves(folder):
    return b"".join(path.read_bytes() for path in (folder / "run" / "tensorboard").glob("events*"))


def grid_of(path):
    image = nib.load(path)
    return image.shape, image.affine


def test_corona_net_binary_on_a_stack_in_one_nifti(recipe, stacks, study):
    image = stacks / "tr_im.nii.gz"
    out = recipe("corona_net_binary", stacks, image, study["dicom"].ct, network=TINY_UNET)
    assert (group_of(out)["lr"], group_of(out)["weight_decay"]) == (pytest.approx(1e-4), pytest.approx(5e-4))
    assert b"val_rand_loss" in curves(out)
    best = torch.load(out / "run" / "best.pt", weights_only=True)
    assert list(best.values())[-1].shape == (1,)
    for path, source in (("out0/tr_im", image), ("out1/ct", study["nifti"].truth)):
        (shape, affine), (own, place) = grid_of(out / path / "labels.nii.gz"), grid_of(source)
        if path.startswith("out0"):
            np.testing.assert_allclose(affine, place)
        assert sorted(shape) == sorted(own)
        assert set(np.unique(np.asanyarray(nib.load(out / path / "labels.nii.gz").dataobj))) <= {0, 1}


def test_corona_net_3class_on_folders_of_pictures(recipe, pictures):
    out = recipe("corona_net_3class", pictures, pictures, network=TINY_UNET)
    best = torch.load(out / "run" / "best.pt", weights_only=True)
    assert list(best.values())[-1].shape == (3,)
    assert {path.name for path in (out / "out0").iterdir() if path.is_dir()} >= {"p0", "p1", "p2"}
    assert grid_of(out / "out0" / "p1" / "labels.nii.gz")[0] == (64, 64, 2)


def test_medseg_2d_on_arrays_with_its_figure(recipe, arrays):
    out = recipe(
        "medseg_2d", arrays, arrays / "test_images_medseg.npy", network={"network_def#backbone": "efficientnet-b0"}
    )
    assert group_of(out)["weight_decay"] == pytest.approx(1e-4)
    assert grid_of(out / "out0" / "test_images_medseg" / "labels.nii.gz")[0] == (64, 64, 2)
    rows = (out / "run" / "evaluation" / "metrics.csv").read_text()
    assert "images_medseg,other_lung" in rows
    with Image.open(out / "run" / "evaluation" / "figures" / "images_medseg.png") as figure:
        assert figure.width == 5 * 64 + 4 * 4


def test_unet_elu_on_nuclei(recipe, nuclei, stacks):
    picture = nuclei / "stage1_train" / "01" / "images" / "01.png"
    out = recipe("unet_elu", nuclei, picture, stacks / "tr_im.nii.gz", network=TINY_ELU)
    assert grid_of(out / "out0" / "01" / "labels.nii.gz")[0] == (64, 48, 1)
    assert grid_of(out / "out1" / "tr_im" / "labels.nii.gz")[0] == (64, 64, 6)


def test_unet_elu_takes_dice_too(recipe, nuclei):
    loss = {"loss#loss": {"_target_": "DiceLoss", "sigmoid": True}}
    out = recipe("unet_elu", nuclei, network=TINY_ELU, **loss)
    assert (out / "run" / "evaluation" / "metrics.csv").is_file()

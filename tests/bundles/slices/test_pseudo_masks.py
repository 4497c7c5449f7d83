"""From labels of volumes to a segmentation network, by the commands of both bundles."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch

from pipeline.phantom import PhantomSpec, make_phantom

pytestmark = pytest.mark.slow

SEGMENT = {"network_def#channels": [4, 8, 16], "network_def#strides": [2, 2], "patch_size": [32, 32, 32]}
SEGMENT |= {"spacing_mm": [6, 6, 6], "samples_per_epoch": 2, "num_workers": 0, "max_epochs": 1, "val_interval": 1}


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    """Two healthy and two ill chests, of which nothing but that is known."""
    folder = tmp_path_factory.mktemp("volumes")
    rows = ["path,label,patient,split"]
    for label, lesions in (("COVID", ("consolidation",)), ("NonCOVID", ())):
        phantom = make_phantom(PhantomSpec(seed=2, spacing_mm=(4.0, 4.0, 8.0), lesions=lesions, severity=0.9))
        for split, axes in (("train", ()), ("val", (0,))):
            name = f"{label}_{split}.nii.gz"
            nib.save(nib.Nifti1Image(np.flip(phantom.hu, axes), phantom.affine), folder / name)
            rows.append(f"{name},{label},{label}{split},{split}")
    (folder / "dataset.csv").write_text("\n".join(rows))
    return folder


def test_masks_of_attention_train_the_segmentation_bundle(
    train_slices, run_bundle, slice_bundle, bundle, volumes, tmp_path
):
    small = {"architecture": "resnet18", "image_size": [64, 64], "tones": "shown", "every": 2}
    trained = train_slices(volumes, tmp_path / "run", **small)
    assert trained.returncode == 0, trained.stderr
    keys = {"dataset_dir": volumes, "ckpt_dir": tmp_path / "run", "output_dir": tmp_path / "masks", **small}
    keys |= {"mining#threshold": 0.0, "device": "$torch.device('cpu')"}  # whatever the network has learned in seconds
    made = run_bundle(slice_bundle, "train pseudo_masks", keys)
    assert made.returncode == 0, made.stderr
    content = json.loads((tmp_path / "masks" / "dataset.json").read_text())
    assert [len(content[split]) for split in ("training", "validation")] == [2, 2]
    sums = {
        entry["case"]: int(np.asarray(nib.load(tmp_path / "masks" / entry["label"]).dataobj).sum())
        for split in ("training", "validation")
        for entry in content[split]
    }
    assert sums["COVID_train"] > 0
    assert sums["NonCOVID_train"] == sums["NonCOVID_val"] == 0
    assert "COVID_train: " in made.stderr
    keys = {"dataset_dir": tmp_path / "masks", "ckpt_dir": tmp_path / "segmentation", "train_batch_size": 2, **SEGMENT}
    result = run_bundle(bundle, "train binary", {**keys, "device": "$torch.device('cpu')"})
    assert result.returncode == 0, result.stderr
    best = torch.load(tmp_path / "segmentation" / "best.pt", weights_only=True)
    assert list(best.values())[-1].shape[0] == 2


def test_a_data_set_of_pictures_ends_with_a_message(
    run_bundle, slice_bundle, slice_data, slice_weights, message, tmp_path
):
    keys = {"dataset_dir": slice_data, "weights": slice_weights, "output_dir": tmp_path / "out", "dropout": 0.2}
    result = run_bundle(
        slice_bundle, "train pseudo_masks", {**keys, "architecture": "resnet18", "image_size": [32, 32]}
    )
    assert result.returncode == 2
    assert "there is no volume to make masks of" in message(result)
    assert not (tmp_path / "out").exists()

"""What a user can get wrong in training and evaluation: one message that says what to do, and a status."""

import json

import nibabel as nib
import numpy as np
import pytest


def relabelled(path, change, shift_mm=0.0):
    """Changes a label map where it lies."""
    image = nib.load(path)
    labels = change(np.asanyarray(image.dataobj).copy())
    affine = image.affine.copy()
    affine[0, 3] += shift_mm
    changed = nib.Nifti1Image(labels, affine)
    nib.save(changed, path)


def with_value_7(labels):
    labels[0, 0, 0] = 7
    return labels


def test_a_data_set_that_names_a_missing_file(train, own_data, listing, message, tmp_path):
    content = listing(own_data)
    content["validation"][0]["label"] = "none.nii.gz"
    (own_data / "dataset.json").write_text(json.dumps(content))
    result = train(own_data, tmp_path / "run")
    assert result.returncode == 2
    assert f"{own_data}: 1 fault(s) in the data set (found validation[0] label" in message(result)
    assert "none.nii.gz does not exist" in message(result)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_data_set(train, message, tmp_path):
    result = train(tmp_path, tmp_path / "run")
    assert result.returncode == 2
    assert f"{tmp_path}: the folder is no data set" in message(result)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("split", ["training", "validation"])
@pytest.mark.parametrize("cache_rate", [1.0, 0.0], ids=["cached", "in workers"])
def test_labels_that_no_class_has(train, own_data, listing, message, tmp_path, split, cache_rate):
    label = own_data / listing(own_data)[split][0]["label"]
    relabelled(label, with_value_7)
    result = train(own_data, tmp_path / "run", cache_rate=cache_rate, num_workers=1)
    assert result.returncode == 1
    assert f"{label}: the label map holds values that no class has (found 7 (1 voxels)" in message(result)
    assert not (tmp_path / "run" / "best.pt").exists()


def test_a_label_map_on_another_grid(train, own_data, listing, message, tmp_path):
    label = own_data / listing(own_data)["training"][0]["label"]
    relabelled(label, np.asarray, shift_mm=9.0)
    result = train(own_data, tmp_path / "run")
    assert result.returncode == 1
    assert str(label) in message(result)
    assert "grid" in message(result)


@pytest.mark.parametrize(
    ("overlay", "keys", "expected"),
    [
        ("", {"patch_size": [30, 30, 30]}, "patch_size: the network cannot take patches of this size"),
        ("unet_2_5d", {"patch_size": [50, 50]}, "patch_size: the network cannot take patches of this size"),
        ("", {"schedule": "linear"}, "schedule: the schedule is unknown (found linear"),
        ("", {"init_weights": "other"}, "the weights do not fit the network"),
        ("", {"init_weights": "missing"}, "there is no such weights file"),
        ("evaluate", {"split": "holdout"}, "there is no such split (found 'holdout'"),
        ("evaluate", {}, "best.pt: there is no such weights file"),
        ("multi_gpu_train", {}, "this configuration is for several processes"),
    ],
)
def test_settings_that_cannot_work(train, data_set, weights, message, tmp_path, overlay, keys, expected):
    named = weights | {"missing": tmp_path / "none.pt"}
    keys = {key: named[value] if key == "init_weights" else value for key, value in keys.items()}
    if "split" in keys:
        keys["weights"] = weights["3d"]
    result = train(data_set, tmp_path / "run", overlay, **keys)
    assert result.returncode == 2
    assert expected in message(result)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_checkpoint_of_another_network(train, data_set, message, tmp_path):
    assert train(data_set, tmp_path, max_epochs=1).returncode == 0
    result = train(data_set, tmp_path, "binary", max_epochs=2)
    assert result.returncode == 2
    assert f"{tmp_path / 'last.pt'}: the checkpoint belongs to another configuration" in message(result)
    assert "--resume false" in message(result)


@pytest.mark.slow
def test_evaluation_names_the_case_that_failed_and_scores_the_others(
    run_bundle, bundle, own_data, listing, weights, message, tmp_path
):
    bad = own_data / listing(own_data)["training"][0]["label"]
    relabelled(bad, with_value_7)
    keys = {"dataset_dir": own_data, "split": "training", "weights": weights["3d"], "output_dir": tmp_path / "out"}
    tiny = {"network_def#channels": [4, 8, 16], "network_def#strides": [2, 2], "patch_size": [32, 32, 32]}
    result = run_bundle(bundle, "train evaluate", keys | tiny | {"spacing_mm": [5, 5, 5]})
    assert result.returncode == 1
    assert "1 of 2 cases failed: a" in message(result)
    assert f"{bad}: the label map holds values that no class has" in result.stderr
    rows = (tmp_path / "out" / "metrics.csv").read_text().splitlines()
    assert {tuple(row.split(",")[:2]) for row in rows[1:] if not row.startswith("a,")} == {
        ("b", name) for name in ("ground_glass", "consolidation", "pleural_effusion")
    }
    assert [row for row in rows if row.startswith("a,,,") and "values that no class has" in row]

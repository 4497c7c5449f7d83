"""Data sets of slices in their layouts, and how they are split."""

import json

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.stacks import find_stack_cases, load_stack_datalist
from transforms.errors import DataListError


def arrays(folder, **counts):
    for name, count in counts.items():
        np.save(folder / f"images_{name}.npy", np.zeros((count, 16, 16, 1), dtype=np.float32))
        np.save(folder / f"masks_{name}.npy", np.zeros((count, 16, 16, 4), dtype=np.float32))


def nucleus(folder):
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
        Image.new("L", (16, 16)).save(folder / kind / f"{kind}.png")


def test_the_first_slices_of_each_array_are_set_apart(tmp_path):
    arrays(tmp_path, a=10, b=4)
    np.save(tmp_path / "test_images_a.npy", np.zeros((2, 16, 16, 1)))
    validation = load_stack_datalist(tmp_path, "validation", labelled=True)
    assert [(item["case"], item["slices"]) for item in validation] == [("images_a", [0, 2]), ("images_b", [0, 1])]
    training = load_stack_datalist(tmp_path, "training", labelled=True)
    assert [item["slices"] for item in training] == [[n, n + 1] for n in (*range(2, 10), *range(1, 4))]
    (test,) = load_stack_datalist(tmp_path, "test")
    assert "label" not in test
    with pytest.raises(DataListError, match="no masks"):
        load_stack_datalist(tmp_path, "test", labelled=True)


def test_named_validation_arrays_are_used(tmp_path):
    arrays(tmp_path, a=3, val_b=2)
    assert len(load_stack_datalist(tmp_path, "training")) == 3
    (item,) = load_stack_datalist(tmp_path, "validation")
    assert item["case"] == "images_val_b"
    assert "slices" not in item


def test_an_array_without_masks_is_refused(tmp_path):
    arrays(tmp_path, a=3)
    (tmp_path / "masks_a.npy").unlink()
    with pytest.raises(DataListError, match=r"images_a\.npy"):
        load_stack_datalist(tmp_path, "training")


def test_whole_folders_are_set_apart(tmp_path):
    for number in range(5):
        nucleus(tmp_path / "stage1_train" / str(number))
    nucleus(tmp_path / "stage1_test" / "t")
    training = {item["case"] for item in load_stack_datalist(tmp_path, "training", labelled=True)}
    validation = {item["case"] for item in load_stack_datalist(tmp_path, "validation", labelled=True)}
    assert (len(training), len(validation)) == (4, 1)
    assert not training & validation
    assert [item["case"] for item in load_stack_datalist(tmp_path, "test")] == ["t"]


def test_one_stack_of_a_list_is_cut(tmp_path):
    for name in ("im", "mask"):
        nib.save(nib.Nifti1Image(np.zeros((8, 8, 10), dtype=np.int16), np.eye(4)), tmp_path / f"{name}.nii.gz")
    listed = {"training": [{"image": "im.nii.gz", "label": "mask.nii.gz"}]}
    (tmp_path / "dataset.json").write_text(json.dumps(listed))
    assert [item["slices"] for item in load_stack_datalist(tmp_path, "validation")] == [[0, 2]]
    assert len(load_stack_datalist(tmp_path, "training")) == 8


def test_what_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(DataListError, match=r"images_\*\.npy"):
        load_stack_datalist(tmp_path, "training")


def test_cases_of_a_study(tmp_path):
    arrays(tmp_path, a=3)
    assert [case.name for case in find_stack_cases(tmp_path)] == ["images_a"]
    nucleus(tmp_path / "n" / "x")
    (case,) = find_stack_cases(tmp_path / "n")
    assert (case.name, case.path.name) == ("x", "images")
    (case,) = find_stack_cases(tmp_path / "n" / "x" / "images" / "images.png")
    assert case.path.name == "images.png"

"""What a user can get wrong in inference: one message that says what to do, a status, and nothing half done."""

import csv
import gzip
import json
import shutil

import nibabel as nib
import numpy as np
import pydicom
import pytest


def rows(out):
    with (out / "cases.csv").open(newline="") as file:
        return {row["case"]: row for row in csv.DictReader(file)}


def left_behind(out):
    hidden = set(out.rglob(".*"))
    return sorted(path.name for path in out.rglob("*") if path.is_file() and not hidden & {path, *path.parents})


def text_file(folder, ct):
    (folder / "broken.nii.gz").write_text("this is no volume")
    return "not a NIfTI volume"


def truncated(folder, ct):
    content = ct.read_bytes()
    (folder / "broken.nii.gz").write_bytes(content[: len(content) // 2])
    return "cut short"


def cut_before_compression(folder, ct):
    content = gzip.decompress(ct.read_bytes())
    (folder / "broken.nii.gz").write_bytes(gzip.compress(content[: len(content) // 2], 1))
    return "cut short"


def several_volumes(folder, ct):
    nib.save(nib.Nifti1Image(np.zeros((8, 8, 8, 3), np.int16), np.eye(4)), folder / "broken.nii.gz")
    return "found shape 8 x 8 x 8 x 3; expected three axes"


def sheared(folder, ct):
    affine = np.eye(4)
    affine[0, 1] = 0.5
    image = nib.Nifti1Image(np.full((8, 8, 8), -900, np.int16), affine)
    image.set_qform(None, code=0)
    nib.save(image, folder / "broken.nii.gz")
    return "broken.nii.gz"


@pytest.mark.parametrize("spoil", [text_file, truncated, cut_before_compression, several_volumes, sheared])
def test_a_file_that_cannot_be_read(segment, study, tmp_path, message, spoil):
    expected = spoil(tmp_path, study["nifti"].ct)
    out = tmp_path / "out"
    result = segment(tmp_path / "broken.nii.gz", out)
    assert result.returncode == 1
    assert "1 of 1 cases failed: broken" in message(result)
    assert rows(out)["broken"]["status"] == "failed"
    error = rows(out)["broken"]["error"]
    assert str(tmp_path / "broken.nii.gz") in error
    assert expected in error
    assert left_behind(out) == ["cases.csv", "index.html"]


def test_a_broken_study_does_not_take_the_good_one_along(segment, study, tmp_path, message):
    folder, out = tmp_path / "studies", tmp_path / "out"
    folder.mkdir()
    (folder / "good.nii.gz").symlink_to(study["nifti"].ct)
    truncated(folder, study["nifti"].ct)
    result = segment(folder, out)
    assert result.returncode == 1
    assert "1 of 2 cases failed: broken" in message(result)
    assert {case: row["status"] for case, row in rows(out).items()} == {"broken": "failed", "good": "done"}
    assert "cut short" in rows(out)["broken"]["error"]
    assert (out / "good" / "provenance.json").is_file()
    assert not (out / "broken").exists()


def test_a_path_that_is_not_there(segment, tmp_path, message):
    result = segment(tmp_path / "nowhere", tmp_path / "out")
    assert result.returncode == 2
    assert f"{tmp_path / 'nowhere'}: there is no such file or folder. Check the path." in message(result)
    assert not (tmp_path / "out").exists()


def test_a_process_of_its_own_ends_with_the_message_and_the_status_too(run_cold, tiny_bundle, tmp_path, message):
    config = tiny_bundle / "configs" / "inference.yaml"
    command = ["-m", "monai.bundle", "run", "--config_file", config, "--bundle_root", tiny_bundle]
    result = run_cold(*command, "--dataset_dir", tmp_path / "nowhere", "--output_dir", tmp_path / "out")
    assert result.returncode == 2
    assert "there is no such file or folder" in message(result)


@pytest.mark.parametrize("content", [None, "notes.txt", "mr.dcm"])
def test_a_folder_without_ct(segment, study, tmp_path, message, content):
    folder = tmp_path / "folder"
    folder.mkdir()
    if content == "notes.txt":
        (folder / content).write_text("nothing")
    elif content == "mr.dcm":
        image = pydicom.dcmread(next(study["dicom"].ct.iterdir()))
        image.Modality, image.SOPClassUID = "MR", pydicom.uid.MRImageStorage
        image.save_as(folder / content)
    result = segment(folder, tmp_path / "out")
    assert result.returncode == 2
    assert f"{folder}: there is nothing to read" in message(result)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"patch_size": [30, 30, 30]}, "patch_size: the network cannot take patches of this size (found [30, 30, 30])"),
        ({"weights": "other"}, "the weights do not fit the network"),
        ({"weights": "missing"}, "there is no such weights file"),
        ({"overlap": 1.0}, "overlap"),
        ({"write": ["labels"]}, "write: unknown kind of result (found labels; expected some of nifti, lungs"),
        ({"allow": ["everything"]}, "everything"),
        ({"region": "head"}, "region: the region of interest is unknown (found head; expected lungs, body, all)"),
        ({"windows": ["brain"]}, "windows: there is no HU window of this name (found brain"),
        ({"spacing_mm": [0, 1, 1]}, "spacing_mm: the spacing of the network grid cannot be used"),
        ({"precision": "half"}, "the precision is unknown"),
    ],
)
def test_settings_that_cannot_work(segment, study, weights, tmp_path, message, keys, expected):
    named = weights | {"missing": tmp_path / "none.pt"}
    keys = {key: named[value] if key == "weights" else value for key, value in keys.items()}
    result = segment(study["nifti"].ct, tmp_path / "out", **keys)
    assert result.returncode == 2
    assert expected in message(result)
    assert not (tmp_path / "out").exists()


def test_weights_that_are_no_weights(segment, study, tmp_path, message):
    (tmp_path / "model.pt").write_text("no weights")
    result = segment(study["nifti"].ct, tmp_path / "out", weights=tmp_path / "model.pt")
    assert result.returncode != 0
    assert str(tmp_path / "model.pt") in message(result)
    assert not (tmp_path / "out").exists()


def test_shipped_weights_that_were_changed(run_bundle, tiny_bundle, weights, study, tmp_path, message):
    changed = shutil.copytree(tiny_bundle, tmp_path / "changed")
    shutil.copy(weights["two"], changed / "models" / "model.pt")
    result = run_bundle(changed, "inference", {"dataset_dir": study["nifti"].ct, "output_dir": tmp_path / "out"})
    assert result.returncode != 0
    assert "the weights are not the ones that the bundle was published with" in message(result)
    assert not (tmp_path / "out").exists()


def test_a_later_success_takes_the_place_of_a_failure(segment, study, tmp_path):
    (tmp_path / "ct.nii.gz").write_text("no volume")
    assert segment(tmp_path / "ct.nii.gz", tmp_path / "out").returncode == 1
    (tmp_path / "ct.nii.gz").write_bytes(study["nifti"].ct.read_bytes())
    assert segment(tmp_path / "ct.nii.gz", tmp_path / "out").returncode == 0
    assert rows(tmp_path / "out")["ct"]["status"] == "done"
    assert json.loads((tmp_path / "out" / "ct" / "provenance.json").read_text())["case"] == "ct"

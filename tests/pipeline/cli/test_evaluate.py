"""`ctvol evaluate`: which files are compared, what is printed, what is written."""

import csv
import json

import nibabel as nib
import numpy as np
import pytest


@pytest.fixture
def label_map(tmp_path):
    """A function that writes a label map with a block of ground glass of some thickness."""

    def write(name, thickness=4, shift_mm=0.0, value=1):
        labels = np.zeros((10, 10, 10), np.uint8)
        labels[2:8, 2:8, 2 : 2 + thickness] = value
        affine = np.diag([2.0, 2.0, 2.0, 1.0])
        affine[0, 3] = shift_mm
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(labels, affine), path)
        return path

    return write


def metrics(out):
    with (out / "metrics.csv").open(newline="") as file:
        return {(row["case"], row["class"]): row for row in csv.DictReader(file)}


def test_two_files(run_ctvol, label_map, tmp_path):
    result = run_ctvol("evaluate", label_map("mine.nii.gz", 4), label_map("truth.nii.gz", 2), "-o", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    header, *rows = result.stdout.splitlines()
    assert header.split()[:6] == ["case", "class", "Dice", "HD95", "mm", "NSD"]
    assert rows[0].split()[:3] == ["mine", "ground_glass", "0.667"]
    assert [row.split()[1:3] for row in rows[1:]] == [["consolidation", "1.000"], ["pleural_effusion", "1.000"]]
    row = metrics(tmp_path / "out")["mine", "ground_glass"]
    assert float(row["dice"]) == pytest.approx(2 / 3, abs=1e-5)
    assert float(row["volume_truth_ml"]) == pytest.approx(72 * 8 / 1000)
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["cases"] == 1


def test_folders_are_matched_by_case(run_ctvol, label_map, tmp_path):
    for name in ("ours/a/labels.nii.gz", "ours/a/lungs.nii.gz", "ours/b/labels.nii.gz", "ours/c/labels.nii.gz"):
        label_map(name)
    for name in ("theirs/a.nii.gz", "theirs/b.nii.gz", "theirs/d.nii.gz"):
        label_map(name)
    result = run_ctvol("evaluate", tmp_path / "ours", tmp_path / "theirs", "-o", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert {case for case, _ in metrics(tmp_path / "out")} == {"a", "b"}
    alone = [line for line in result.stderr.splitlines() if " without a " in line]
    assert [line.partition(": ")[0] for line in alone] == [
        "prediction without a reference", "reference without a prediction",
    ]  # fmt: skip
    assert " without a " not in result.stdout
    summary = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert [len(summary[key]) for key in ("without_reference", "without_prediction")] == [1, 1]


@pytest.mark.parametrize(
    ("prediction", "expected", "status"),
    [
        ({"shift_mm": 7.0}, "grid", 1),
        ({"value": 9}, "the label map holds values that no class has (found 9 (144 voxels)", 1),
    ],
)
def test_what_cannot_be_compared_is_refused(run_ctvol, label_map, tmp_path, prediction, expected, status):
    mine = label_map("mine.nii.gz", **prediction)
    result = run_ctvol("evaluate", mine, label_map("truth.nii.gz"), "-o", tmp_path / "out")
    assert result.returncode == status
    assert expected in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert expected in metrics(tmp_path / "out")["mine", ""]["error"]


def test_nothing_to_match_is_status_2(run_ctvol, label_map, tmp_path):
    label_map("ours/a.nii.gz")
    label_map("theirs/b.nii.gz")
    result = run_ctvol("evaluate", tmp_path / "ours", tmp_path / "theirs", "-o", tmp_path / "out")
    assert result.returncode == 2
    assert "no prediction has a reference of its name (found a; expected b)" in result.stderr
    assert run_ctvol("evaluate", tmp_path / "none", tmp_path / "theirs", "-o", tmp_path / "out").returncode == 2


def test_one_that_fails_leaves_the_others(run_ctvol, label_map, tmp_path):
    for name in ("a", "b", "c"):
        label_map(f"ours/{name}/labels.nii.gz", shift_mm=5.0 if name == "b" else 0.0)
        label_map(f"theirs/{name}.nii.gz")
    result = run_ctvol("evaluate", tmp_path / "ours", tmp_path / "theirs", "-o", tmp_path / "out")
    assert result.returncode == 1
    assert "1 of 3 cases could not be compared" in result.stderr
    assert {case for case, name in metrics(tmp_path / "out") if name} == {"a", "c"}
    assert "corners 5 mm apart" in (tmp_path / "out" / "report.html").read_text()


def test_classes_settings_and_patients_of_ones_own(run_ctvol, label_map, tmp_path):
    for name in ("p1_a", "p1_b", "p2_a"):
        label_map(f"ours/{name}.nii.gz", thickness=3, value=7)
        label_map(f"theirs/{name}.nii.gz", thickness=4, value=7)
    options = ["--classes", "tumour=7", "--tolerance-mm", 0, "--lesion-overlap", 0.8, "--seed", 3]
    options += ["--patient-pattern", "^(p[0-9]+)_"]
    result = run_ctvol("evaluate", tmp_path / "ours", tmp_path / "theirs", "-o", tmp_path / "out", *options)
    assert result.returncode == 0, result.stderr
    summary = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (summary["cases"], summary["patients"], summary["bootstrap"]["seed"]) == (3, 2, 3)
    assert (summary["tolerance_mm"], summary["lesion_overlap"]) == (0, 0.8)
    # Three planes of four: 0.75 of the lesion is covered, all of the prediction is right.
    assert (summary["classes"]["tumour"]["lesions"]["found"], summary["classes"]["tumour"]["lesions"]["right"]) == (
        0,
        3,
    )
    wrong = run_ctvol("evaluate", tmp_path, tmp_path, "-o", tmp_path / "out", "--classes", "tumour")
    assert wrong.returncode == 2
    assert "tumour=1,necrosis=2" in wrong.stderr

"""Files against files: turned axes, other grids, wrong values, probabilities beside."""

import numpy as np
import pytest

from pipeline.evaluation import compare_files, compare_pairs, find_label_maps, match
from transforms.errors import GeometryError, LabelError

CLASSES = {"background": 0, "a": 1}
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def block(value=1, start=2):
    labels = np.zeros((10, 10, 10), np.uint8)
    labels[start : start + 4, 2:6, 2:6] = value
    return labels


def test_a_prediction_in_another_orientation_is_turned(save, tmp_path):
    mirrored = AFFINE.copy()
    mirrored[0, 0], mirrored[0, 3] = -2, 18
    truth = save(tmp_path / "truth.nii.gz", block())
    found, notes = compare_files(save(tmp_path / "pred.nii.gz", block()[::-1], mirrored), truth, CLASSES)
    assert found["a"].dice == 1
    assert "turned" in notes[0]


def test_other_grids_and_values_are_refused(save, tmp_path):
    truth = save(tmp_path / "truth.nii.gz", block())
    moved = AFFINE.copy()
    moved[1, 3] = 0.5
    with pytest.raises(GeometryError, match=r"corners 0\.5 mm apart"):
        compare_files(save(tmp_path / "moved.nii.gz", block(), moved), truth, CLASSES)
    with pytest.raises(LabelError, match="no class has"):
        compare_files(save(tmp_path / "seven.nii.gz", block(7)), truth, CLASSES)


def test_probabilities_on_a_coarser_grid(save, tmp_path):
    truth, pred = save(tmp_path / "truth.nii.gz", block()), save(tmp_path / "pred.nii.gz", block())
    share = np.repeat(np.repeat(np.repeat(block()[::2, ::2, ::2], 1, 0), 1, 1), 1, 2).astype(np.float32)
    place = AFFINE @ np.diag([2.0, 2.0, 2.0, 1.0])
    probabilities = save(tmp_path / "p.nii.gz", np.stack([1 - 0.9 * share, 0.9 * share], -1), place)
    found, notes = compare_files(pred, truth, CLASSES, probabilities=probabilities)
    # 8 of 125 voxels are said to be of the class with 0.9, and all are.
    assert found["a"].calibration_error == pytest.approx(0.1 * 8 / 125, abs=1e-6)
    assert notes == []
    wrong = save(tmp_path / "wrong.nii.gz", np.full((10, 10, 10, 2), 7.0, np.float32))
    found, notes = compare_files(pred, truth, CLASSES, probabilities=wrong)
    assert found["a"].calibration_error is None
    assert "without a calibration error" in notes[0]


def test_one_that_fails_leaves_the_others(save, tmp_path):
    for name, value in (("x", 1), ("y", 9), ("z", 1)):
        save(tmp_path / "pred" / f"{name}.nii.gz", block(value))
        save(tmp_path / "truth" / f"{name}.nii.gz", block())
    (tmp_path / "pred" / "z.nii.gz").write_bytes(b"no volume")
    pairs = match(find_label_maps(tmp_path / "pred"), find_label_maps(tmp_path / "truth")).pairs
    found = {case.case: case for case in compare_pairs(pairs, CLASSES, patients={"x": "someone"})}
    assert found["x"].patient == "someone"
    assert found["x"].metrics["a"].dice == 1
    assert "no class has" in found["y"].error
    assert found["z"].error
    assert not found["z"].metrics

import warnings

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.metrics import compute_dice, compute_hausdorff_distance, compute_surface_dice

from pipeline.evaluation.case_metrics import case_metrics
from transforms.errors import GeometryError, LabelError, SettingError

SPACING = (1.0, 2.0, 3.0)


def block(start, stop, value=1, shape=(30, 30, 30)):
    volume = np.zeros(shape, np.uint8)
    volume[tuple(slice(*ends) for ends in zip(start, stop, strict=True))] = value
    return volume


def test_a_shifted_block_by_hand():
    # 10 x 10 x 10 voxels, moved by 2 along x: 8 of 10 planes in common. The plane that sticks out at either end is
    # all surface and 2 mm from the other block's nearest surface.
    truth, pred = block((10, 10, 10), (20, 20, 20)), block((12, 10, 10), (22, 20, 20))
    found = case_metrics(pred, truth, SPACING, {"background": 0, "a": 1}, tolerance_mm=1.0)
    assert set(found) == {"a"}
    assert found["a"].dice == 0.8
    assert found["a"].hd95_mm == 2.0
    assert found["a"].volume_truth_ml == found["a"].volume_pred_ml == pytest.approx(6.0)
    # Surface: 1000 - 8^3 = 488 voxels. Farther than 1 mm from the other's surface: the plane at the end (100), and
    # in the plane on the other side, at the other block's end, the inner 8 x 8 that lies beneath no surface of it.
    assert found["a"].nsd == pytest.approx(1 - (100 + 64) / 488)
    assert case_metrics(pred, truth, SPACING, {"a": 1}, tolerance_mm=2.0)["a"].nsd == 1.0


def test_the_spacing_belongs_to_its_axis():
    truth = block((10, 10, 10), (20, 20, 20))
    for axis, spacing in enumerate(SPACING):
        pred = np.roll(truth, 1, axis)
        assert case_metrics(pred, truth, SPACING, {"a": 1})["a"].hd95_mm == spacing


def test_the_same_as_monai():
    random = np.random.default_rng(3)
    truth, pred = (
        (np.abs(np.add.outer(np.add.outer(np.arange(24), np.arange(20)), np.arange(16)) - 30) < width).astype(np.uint8)
        * random.integers(1, 3, (24, 20, 16), dtype=np.uint8)
        for width in (6, 8)
    )
    found = case_metrics(pred, truth, SPACING, {"a": 1, "b": 2}, tolerance_mm=1.5)
    for name, value in (("a", 1), ("b", 2)):
        pair = [torch.from_numpy(volume == value)[None, None] for volume in (pred, truth)]
        assert found[name].dice == pytest.approx(compute_dice(*pair).item())
        hd95 = compute_hausdorff_distance(*pair, include_background=True, percentile=95, spacing=SPACING)
        assert found[name].hd95_mm == pytest.approx(hd95.item(), rel=1e-5)
        nsd = compute_surface_dice(*pair, class_thresholds=[1.5], include_background=True, spacing=SPACING)
        assert found[name].nsd == pytest.approx(nsd.item(), rel=1e-5)


def test_empty_classes_have_scores():
    empty, full = np.zeros((30, 40, 10), np.uint8), block((1, 1, 1), (3, 3, 3), shape=(30, 40, 10))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        both = case_metrics(empty, empty, (1.0, 1.0, 12.0), {"a": 1})["a"]
        missed = case_metrics(empty, full, (1.0, 1.0, 12.0), {"a": 1})["a"]
        invented = case_metrics(full, empty, (1.0, 1.0, 12.0), {"a": 1})["a"]
    assert (both.dice, both.hd95_mm, both.nsd) == (1.0, 0.0, 1.0)
    # The diagonal of 30 x 40 x 120 mm is 130 mm.
    assert (missed.dice, missed.hd95_mm, missed.nsd) == (0.0, 130.0, 0.0)
    assert (invented.dice, invented.hd95_mm, invented.nsd) == (0.0, 130.0, 0.0)
    assert (missed.volume_pred_ml, missed.volume_truth_ml) == (0.0, pytest.approx(0.096))


def test_all_scores_of_an_empty_class():
    empty, full = np.zeros((30, 30, 30), np.uint8), block((1, 1, 1), (3, 3, 3))
    expected = {"dice": 0, "nsd": 0, "adjusted_rand": 0, "lesion_sensitivity": 0, "lesion_precision": 0, "lesion_f1": 0}
    for pred, truth, percent in ((empty, full, 100.0), (full, empty, 100.0)):
        found = case_metrics(pred, truth, SPACING, {"a": 1})["a"].values()
        assert {name: found[name] for name in expected} == pytest.approx(expected)
        assert found["volume_error_percent"] == percent
        assert found["volume_error_ml"] == pytest.approx(0.048)
    both = case_metrics(empty, empty, SPACING, {"a": 1})["a"].values()
    assert {name: both[name] for name in expected} == dict.fromkeys(expected, 1.0)
    assert (both["volume_error_ml"], both["volume_error_percent"], both["calibration_error"]) == (0, 0, None)


def test_settings_reach_the_lesions():
    truth, pred = block((0, 0, 0), (4, 4, 4)), block((3, 3, 3), (7, 7, 7))  # one voxel of 64 in common
    assert case_metrics(pred, truth, SPACING, {"a": 1})["a"].lesions.found == 1
    assert case_metrics(pred, truth, SPACING, {"a": 1}, lesion_overlap=0.1)["a"].lesions.found == 0
    # A voxel has 6 mm³, a block 0.384 ml.
    assert case_metrics(pred, truth, SPACING, {"a": 1}, min_lesion_ml=0.39)["a"].lesions.truth == 0
    assert case_metrics(pred, truth, SPACING, {"a": 1}, min_lesion_ml=0.38)["a"].lesions.truth == 1


def test_a_block_at_the_border_is_scored_as_one_inside():
    at_border = block((0, 0, 0), (5, 5, 5)), block((0, 0, 0), (5, 5, 7))
    inside = block((9, 9, 9), (14, 14, 14)), block((9, 9, 9), (14, 14, 16))
    assert case_metrics(*at_border, SPACING, {"a": 1}) == case_metrics(*inside, SPACING, {"a": 1})


def test_far_apart_blocks():
    truth, pred = block((0, 0, 0), (1, 1, 1)), block((29, 0, 0), (30, 1, 1))
    found = case_metrics(pred, truth, SPACING, {"a": 1})["a"]
    assert (found.dice, found.hd95_mm, found.nsd) == (0.0, 29.0, 0.0)


def test_label_maps_of_all_kinds():
    truth = block((10, 10, 10), (20, 20, 20), value=3)
    for pred in (truth[None], torch.from_numpy(truth)[None].float(), MetaTensor(torch.from_numpy(truth)[None]).long()):
        assert case_metrics(pred, truth, SPACING, {"a": 3})["a"].dice == 1.0
    assert case_metrics(truth == 3, (truth == 3)[None], SPACING, {"a": 1})["a"].dice == 1.0


@pytest.mark.parametrize("wrong", [np.zeros((2, 4, 4, 4), np.uint8), np.full((4, 4, 4), 0.5), np.full((4, 4, 4), -1.0)])
def test_what_is_no_label_map_is_refused(wrong):
    with pytest.raises(LabelError, match="the prediction is not a label map"):
        case_metrics(wrong, np.zeros((4, 4, 4), np.uint8), SPACING, {"a": 1})


def test_another_shape_is_refused():
    with pytest.raises(GeometryError, match="not on one grid"):
        case_metrics(np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 5), np.uint8), SPACING, {"a": 1})


def test_a_tolerance_a_class():
    truth, pred = block((10, 10, 10), (20, 20, 20)), block((12, 10, 10), (22, 20, 20))
    truth[truth == 0], pred[pred == 0] = 2, 2
    classes = {"a": 1, "b": 2}
    found = case_metrics(pred, truth, SPACING, classes, tolerance_mm={"a": 2.0, "b": 0.0})
    assert found["a"].nsd == 1.0
    assert found["b"].nsd < 1.0
    with pytest.raises(SettingError, match="no usable surface tolerance for the class b"):
        case_metrics(pred, truth, SPACING, classes, tolerance_mm={"a": 2.0})
    with pytest.raises(SettingError, match="found -1"):
        case_metrics(pred, truth, SPACING, classes, tolerance_mm=-1)

"""Lesions by hand: found, missed, invented, and what counts as found."""

import numpy as np
import pytest

from pipeline.evaluation.lesions import LesionCounts, count_lesions
from transforms.errors import SettingError


def blocks(*places):
    mask = np.zeros((20, 20, 20), bool)
    for x, y, z in places:
        mask[x : x + 4, y : y + 4, z : z + 4] = True
    return mask


def test_two_of_three_are_found_and_one_of_two_is_right():
    truth = blocks((0, 0, 0), (8, 8, 8), (0, 0, 15))
    # One cube over the first lesion, a bridge to the second makes them one prediction; another is invented.
    pred = blocks((1, 0, 0), (15, 0, 0))
    pred[4:9, 3:9, 3:9] = True
    counts = count_lesions(pred, truth)
    assert counts == LesionCounts(truth=3, found=2, pred=2, right=1)
    assert (counts.sensitivity, counts.precision) == (pytest.approx(2 / 3), 0.5)
    assert counts.f1 == pytest.approx(2 * (2 / 3) * 0.5 / (2 / 3 + 0.5))


def test_how_much_of_a_lesion_must_be_covered_is_a_setting():
    truth, pred = blocks((0, 0, 0)), blocks((2, 0, 0))  # half of either
    assert count_lesions(pred, truth, overlap=0.5).found == 1
    assert count_lesions(pred, truth, overlap=0.51) == LesionCounts(truth=1, found=0, pred=1, right=0)
    corner = blocks((3, 3, 3))  # one voxel of 64
    assert count_lesions(corner, truth).found == 1
    assert count_lesions(corner, truth, overlap=0.1).found == 0
    with pytest.raises(SettingError, match="lesion_overlap"):
        count_lesions(pred, truth, overlap=1.5)


def test_corners_join_and_small_lesions_are_left_out():
    assert count_lesions(blocks(), blocks((0, 0, 0), (4, 4, 4))).truth == 1
    assert count_lesions(blocks(), blocks((0, 0, 0), (5, 5, 5))).truth == 2
    assert count_lesions(blocks(), blocks((0, 0, 0)), min_voxels=64).truth == 1
    assert count_lesions(blocks(), blocks((0, 0, 0)), min_voxels=65).truth == 0


@pytest.mark.parametrize(
    ("truth", "pred", "expected"),
    [((), (), (1, 1, 1)), (((0, 0, 0),), (), (0, 0, 0)), ((), ((0, 0, 0),), (0, 0, 0))],
)
def test_nothing_there_has_a_score(truth, pred, expected):
    counts = count_lesions(blocks(*pred), blocks(*truth))
    assert (counts.sensitivity, counts.precision, counts.f1) == expected

"""Calibration errors by hand and as MONAI has them, on the reference's grid and on a coarser one."""

import numpy as np
import pytest
import torch
from monai.metrics import CalibrationErrorMetric

from pipeline.evaluation import calibration
from pipeline.evaluation.calibration import calibration_errors
from transforms.errors import GeometryError, LabelError
from transforms.grids import Grid

CLASSES = {"background": 0, "a": 1, "b": 2}


def grid(shape, spacing=1.0):
    return Grid(shape=shape, affine=np.diag([spacing, spacing, spacing, 1.0]))


def test_by_hand():
    truth = torch.zeros(1, 10, 1, 1, dtype=torch.uint8)
    truth[0, :6] = 1
    probabilities = torch.full((2, 10, 1, 1), 0.8)
    # 0.8 is said of ten voxels, six are right.
    found = calibration_errors(probabilities, grid((10, 1, 1)), truth, grid((10, 1, 1)), {"none": 0, "a": 1})
    assert found == {"a": pytest.approx(0.2, abs=1e-6)}


def test_the_same_as_monai_slab_by_slab(monkeypatch):
    monkeypatch.setattr(calibration, "SLAB_VOXELS", 50)
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.rand(3, 8, 5, 4, generator=generator).softmax(0)
    truth = torch.randint(0, 3, (1, 8, 5, 4), generator=generator, dtype=torch.uint8)
    found = calibration_errors(probabilities, grid((8, 5, 4)), truth, grid((8, 5, 4)), CLASSES)
    metric = CalibrationErrorMetric(num_bins=10, include_background=False)
    one_hot = torch.stack([truth[0] == value for value in range(3)]).float()
    expected = metric(probabilities[None], one_hot[None])[0]
    assert list(found.values()) == pytest.approx(expected.tolist(), abs=1e-6)


def test_a_coarser_grid_takes_the_nearest_truth():
    truth = torch.zeros(1, 8, 4, 4, dtype=torch.uint8)
    truth[0, 4:] = 1
    sure = torch.zeros(2, 4, 2, 2, dtype=torch.float16)
    sure[1, 2:], sure[0, :2] = 1, 1
    found = calibration_errors(sure, grid((4, 2, 2), 2.0), truth, grid((8, 4, 4)), {"none": 0, "a": 1})
    assert found["a"] == pytest.approx(0, abs=1e-6)


def test_without_a_channel_of_the_background_each_answers_for_itself():
    truth = torch.ones(1, 2, 2, 2, dtype=torch.uint8)
    found = calibration_errors(torch.full((1, 2, 2, 2), 0.9), grid((2, 2, 2)), truth, grid((2, 2, 2)), {"n": 0, "a": 1})
    assert found["a"] == pytest.approx(0.1, abs=1e-6)


def test_what_does_not_fit_is_refused():
    truth = torch.ones(1, 2, 2, 2, dtype=torch.uint8)
    with pytest.raises(LabelError, match="5 channels"):
        calibration_errors(torch.ones(5, 2, 2, 2), grid((2, 2, 2)), truth, grid((2, 2, 2)), CLASSES)
    oblique = grid((2, 2, 2))
    turn = np.eye(4)
    turn[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    turned = Grid(shape=(2, 2, 2), affine=turn @ oblique.affine)
    with pytest.raises(GeometryError, match="axes"):
        calibration_errors(torch.ones(3, 2, 2, 2), turned, truth, oblique, CLASSES)

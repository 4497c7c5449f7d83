"""Hits are yellow, false positives red, misses green."""

import numpy as np
import pytest
import torch
from monai.data.meta_tensor import MetaTensor

from pipeline.evaluation import RandLoss, difference_figure


def volume(array):
    return MetaTensor(torch.as_tensor(array)[None, :, :, None], affine=torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0])))


def test_every_kind_of_voxel_has_its_colour():
    truth, pred = np.zeros((20, 16), dtype=np.uint8), np.zeros((20, 16), dtype=np.uint8)
    truth[2, 3], pred[2, 3] = 1, 1
    truth[5, 6] = 1
    pred[8, 9] = 1
    truth[11, 12], pred[11, 12] = 1, 2
    figure = difference_figure(
        {"image": volume(np.zeros((20, 16), dtype=np.float32)), "label": volume(truth), "pred": volume(pred)}, 4
    )
    pixels = np.asarray(figure)
    assert pixels.shape == (18 + 16 + 4, 5 * 20 + 4 * 4, 3)
    overlay, alone = pixels[18:, 3 * 24 :], pixels[18:, 4 * 24 :]
    red, green = overlay[..., 0] > 0, overlay[..., 1] > 0
    assert (red[3, 2], green[3, 2]) == (True, True)
    assert (red[6, 5], green[6, 5]) == (False, True)
    assert (red[9, 8], green[9, 8]) == (True, False)
    assert (red[12, 11], green[12, 11]) == (True, False)
    missed = {(int(row), int(column)) for row, column in np.argwhere(alone[:16, :20, 1] > 0)}
    assert missed == {(6, 5), (12, 11)}


def test_the_rand_loss_is_none_for_equal_masks_and_a_half_by_chance():
    truth = torch.zeros(1, 2, 8, 8)
    truth[:, 1, :4] = 1
    metric = RandLoss()
    metric(truth, truth)
    assert float(metric.aggregate()) == 0
    metric.reset()
    across = torch.zeros(1, 2, 8, 8)
    across[:, 1, :, :4] = 1
    metric(across, truth)
    from sklearn.metrics import adjusted_rand_score

    expected = 1 - (adjusted_rand_score(truth[0, 1].flatten(), across[0, 1].flatten()) + 1) / 2
    assert float(metric.aggregate()) == pytest.approx(expected, rel=1e-6)

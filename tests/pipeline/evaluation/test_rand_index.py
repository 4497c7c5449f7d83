"""The closed form against scikit-learn's, and where it needs more than 64 bits."""

import warnings

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from pipeline.evaluation.rand_index import adjusted_rand


@pytest.mark.parametrize("seed", range(6))
def test_the_same_as_scikit_learn(seed):
    generator = np.random.default_rng(seed)
    truth = generator.random(200) < generator.random()
    pred = np.where(generator.random(200) < 0.2, ~truth, truth)
    found = adjusted_rand(int((truth & pred).sum()), int(pred.sum()), int(truth.sum()), 200)
    assert found == pytest.approx(adjusted_rand_score(truth, pred))


@pytest.mark.parametrize(("truth", "pred"), [("0000", "0000"), ("1111", "1111"), ("0000", "0110"), ("0110", "0000"),
                                             ("0110", "1001"), ("1111", "0000")])  # fmt: skip
def test_empty_and_full_masks_too(truth, pred):
    one, other = (np.array([int(mark) for mark in marks], bool) for marks in (truth, pred))
    found = adjusted_rand(int((one & other).sum()), int(other.sum()), int(one.sum()), 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert found == pytest.approx(adjusted_rand_score(one, other))


def test_a_whole_ct_does_not_overflow():
    voxels = 512 * 512 * 600
    found = adjusted_rand(both=10**6, pred=11 * 10**5, truth=12 * 10**5, voxels=voxels)
    assert 0.86 < found < 0.88  # as Dice (0.87), for a small class

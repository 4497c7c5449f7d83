"""Intervals cover what they should, and cases of one patient count as one."""

import numpy as np
import pytest

from pipeline.evaluation.intervals import bootstrap


def mean_of(values):
    return lambda chosen: {"mean": values[chosen].mean()}


def test_the_interval_of_a_mean_is_about_that_of_its_formula():
    values = np.random.default_rng(1).normal(size=200)
    found = bootstrap(mean_of(values), [str(number) for number in range(200)])["mean"]
    error = values.std() / np.sqrt(200)
    assert found.value == pytest.approx(values.mean())
    assert (found.high - found.low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.1)


def test_copies_of_a_patient_make_no_interval_narrower():
    values = np.repeat(np.random.default_rng(2).normal(size=20), 5)
    alone = bootstrap(mean_of(values), [str(number) for number in range(100)])["mean"]
    together = bootstrap(mean_of(values), [str(number // 5) for number in range(100)])["mean"]
    assert together.high - together.low > 1.8 * (alone.high - alone.low)


def test_one_patient_has_no_spread_and_the_seed_decides():
    values = np.arange(3.0)
    one = bootstrap(mean_of(values), ["p", "p", "p"])["mean"]
    assert one.low == one.value == one.high == 1
    apart = ["a", "b", "c"]
    assert bootstrap(mean_of(values), apart, seed=4) == bootstrap(mean_of(values), apart, seed=4)

"""Regions refined to what is dense, in the lungs, thick enough and large enough."""

import numpy as np
import pytest

from pipeline.weak_supervision import LesionRefinement
from transforms.errors import SettingError

SPACING = (1.0, 1.0, 2.0)
PLACES = np.indices((40, 40, 20)) - np.array([17, 17, 9]).reshape(3, 1, 1, 1)
LESION = np.linalg.norm(PLACES * np.array(SPACING).reshape(3, 1, 1, 1), axis=0) <= 11
"""A ball."""


@pytest.fixture
def chest():
    """HU of lung with a lesion, a vessel and a rib beside the lung, and the lung."""
    hu = np.full((40, 40, 20), -850, dtype=np.int16)
    hu[LESION] = -500
    hu[29:35, 29:35, :] = 30
    hu[36:] = 40
    lungs = np.zeros(hu.shape, dtype=np.uint8)
    lungs[:36] = 1
    return hu, lungs


def dice(mask, truth):
    return 2 * (mask & truth).sum() / (mask.sum() + truth.sum())


def test_of_everything_the_lesion_is_left(chest):
    hu, lungs = chest
    mask = LesionRefinement()(np.ones(hu.shape, dtype=bool), hu, lungs, SPACING)
    assert mask.dtype == np.uint8
    assert dice(mask > 0, LESION) > 0.85
    assert not mask[29:35, 29:35].any()
    assert not mask[36:].any()


def test_what_the_region_leaves_out_is_left_out(chest):
    hu, lungs = chest
    region = np.zeros(hu.shape, dtype=bool)
    region[:17] = True
    whole = LesionRefinement()(np.ones(hu.shape, dtype=bool), hu, lungs, SPACING)
    part = LesionRefinement()(region, hu, lungs, SPACING)
    np.testing.assert_array_equal(part, whole * region)


def test_vessels_stay_where_nothing_is_opened(chest):
    hu, lungs = chest
    plain = LesionRefinement(opening_mm=0, smoothing_mm=0, min_volume_ml=0)
    mask = plain(np.ones(hu.shape, dtype=bool), hu, lungs, SPACING)
    np.testing.assert_array_equal(mask > 0, (hu > -700) & (lungs > 0))


def test_small_parts_go(chest):
    hu, lungs = chest
    millilitres = LESION.sum() * 2 / 1000
    everywhere = np.ones(hu.shape, dtype=bool)
    assert LesionRefinement(min_volume_ml=millilitres / 2)(everywhere, hu, lungs, SPACING).any()
    assert not LesionRefinement(min_volume_ml=millilitres * 2)(everywhere, hu, lungs, SPACING).any()


def test_an_empty_region_gives_an_empty_mask(chest):
    hu, lungs = chest
    assert not LesionRefinement()(np.zeros(hu.shape, dtype=bool), hu, lungs, SPACING).any()


@pytest.mark.parametrize("settings", [{"density": [0, -700]}, {"density": [0]}, {"opening_mm": -1}])
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(SettingError, match="refinement"):
        LesionRefinement(**settings)

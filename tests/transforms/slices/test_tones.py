"""Tones: whatever window a figure was printed in, air and tissue get the same grays, and lesions stay between them."""

import numpy as np
import pytest
import torch

from transforms import SliceInput
from transforms.errors import SettingError
from transforms.hu_windows import HUWindow
from transforms.slices.tones import BRIGHT, DARK, retoned


def anchored(slab, body, window):
    return retoned(slab, body, window, "anchored")


UNIT = HUWindow(low=0, high=1)
AIR, LESION, TISSUE = 0.3, 0.5, 0.7


@pytest.fixture
def grays():
    """Half tissue, half lung, and in that a lesion halfway between the two."""
    image = torch.full((1, 1, 64, 64), TISSUE)
    image[..., 16:48, :] = AIR
    image[..., 20:28, 8:16] = LESION
    return image


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.2, 1), (-0.5, 1.5), (0.1, 0.75)])
def test_the_window_of_a_figure_leaves_no_trace(grays, low, high):
    found = anchored((grays - low) / (high - low), None, UNIT)[0, 0]
    assert float(found[32, 40]) == pytest.approx(DARK, abs=1e-5)
    assert float(found[2, 2]) == pytest.approx(BRIGHT, abs=1e-5)
    assert float(found[24, 12]) == pytest.approx((DARK + BRIGHT) / 2, abs=1e-5)


def test_what_stands_outside_the_body_has_no_say(grays):
    body = np.ones((64, 64), dtype=bool)
    body[:, 56:] = False
    lettered = grays.clone()
    lettered[..., 56:] = 1
    found, expected = (anchored(one, body, UNIT)[..., :56] for one in (lettered, grays))
    torch.testing.assert_close(found, expected)


def test_slices_of_a_slab_are_moved_alike_by_the_middle_one(grays):
    slab = torch.cat([grays - 0.1, grays, grays + 0.1], dim=1)
    found = anchored(slab, None, UNIT)
    torch.testing.assert_close(found[:, 1:2], anchored(grays, None, UNIT))
    assert (found[0, 2, 2, 2] > found[0, 1, 2, 2] > found[0, 0, 2, 2]).item()


def test_a_flat_slice_stays_flat():
    flat = torch.full((1, 1, 32, 32), 0.4)
    torch.testing.assert_close(anchored(flat, None, UNIT), flat)
    nearly = flat + 0.001 * torch.rand(flat.shape, generator=torch.Generator().manual_seed(0))
    assert float(anchored(nearly, None, UNIT).std()) < 0.02


@pytest.mark.parametrize("curve", [0.5, 1.0, 2.0])
def test_ranks_know_no_curve(grays, curve):
    found = retoned(grays**curve, None, UNIT, "equalised")[0, 0]
    lung, lesion = 32 * 64 - 64, 64
    for (row, column), rank in {
        (32, 40): lung / 2, (24, 12): lung + lesion / 2, (2, 2): lung + lesion + 32 * 32,
    }.items():  # fmt: skip
        assert float(found[row, column]) == pytest.approx(rank / 64**2, abs=0.02)


def test_ranks_keep_the_order_of_grays_outside_those_of_the_body():
    grays = torch.linspace(0, 1, 64 * 64).reshape(1, 1, 64, 64)
    body = np.zeros((64, 64), dtype=bool)
    body[16:48] = True
    found = retoned(grays, body, UNIT, "equalised").ravel()
    assert (found.diff() >= 0).all()
    assert (float(found[0]), float(found[-1])) == (0, 1)


def test_the_network_gets_the_same_of_two_windows(chest):
    hu = torch.from_numpy(-1350 + chest / 255.0 * 1500).float()[None, None]
    other = -1350 + (hu + 1350) * 0.8 + 150
    settings = {"image_size": [48, 64], "region": "body"}
    for tones, alike in (("anchored", True), ("equalised", True), ("shown", False)):
        one, two = (SliceInput(tones=tones, **settings)(slab)[0] for slab in (hu, other))
        assert (float((one - two).abs().max()) < 1e-3) == alike


def test_another_word_is_refused():
    with pytest.raises(SettingError, match="shown, anchored, equalised"):
        SliceInput(tones="pretty")

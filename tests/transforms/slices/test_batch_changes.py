"""Random changes of batches: nothing where nothing is drawn, what was drawn where it was, the same of the same seed."""

from dataclasses import replace

import pytest
import torch

from transforms.errors import SettingError
from transforms.slices import ChangeRanges, apply_changes, draw_changes

STILL = ChangeRanges(
    rotation_degrees=0, zoom=0, aspect=0, shear=0, translation=0, elastic=0, flip=0, window=0, gamma=0, blur=0, noise=0
)


def drawn(ranges, count=4, seed=0):
    return draw_changes(ranges, count, torch.Generator().manual_seed(seed))


@pytest.fixture
def slices():
    return torch.rand((4, 2, 32, 24), generator=torch.Generator().manual_seed(1))


def test_nothing_drawn_changes_nothing(slices):
    torch.testing.assert_close(apply_changes(slices, drawn(STILL)), slices, atol=1e-5, rtol=0)


def test_a_mirrored_slice_is_mirrored_from_left_to_right(slices):
    mirrored = apply_changes(slices, drawn(replace(STILL, flip=1.0)))
    torch.testing.assert_close(mirrored, slices.flip(-1), atol=1e-5, rtol=0)


def test_a_shift_moves_the_slice_and_leaves_air(slices):
    shift = drawn(STILL)
    shift.matrix[:, 0, 2] = 2 * 6 / 24  # six columns
    moved = apply_changes(slices, shift)
    torch.testing.assert_close(moved[..., :18], slices[..., 6:], atol=1e-5, rtol=0)
    assert moved[..., 18:].abs().max() == pytest.approx(0, abs=1e-5)


def test_a_window_maps_its_ends_to_black_and_white():
    ramp = torch.linspace(0, 1, 5).expand(1, 1, 4, 5)
    change = replace(drawn(STILL, 1), low=torch.tensor([0.25]), high=torch.tensor([0.75]), gamma=torch.tensor([2.0]))
    assert apply_changes(ramp, change)[0, 0, 0].tolist() == pytest.approx([0, 0, 0.25, 1, 1], abs=1e-5)


def test_each_slice_is_blurred_by_its_own():
    dots = torch.zeros(2, 1, 33, 33)
    dots[:, :, 16, 16] = 1
    blurred = apply_changes(dots, replace(drawn(STILL, 2), blur=torch.tensor([0.0, 2.0])))
    assert blurred[0, 0, 16, 16] == pytest.approx(1, abs=1e-4)
    assert blurred[1].sum() == pytest.approx(1, abs=1e-3)
    assert blurred[1, 0, 16, 16] == pytest.approx(1 / (2 * torch.pi * 4), rel=0.03)  # of a Gaussian, at its centre


def test_noise_and_holes():
    gray = torch.full((2, 1, 40, 40), 0.5)
    noisy = apply_changes(gray, replace(drawn(STILL, 2), noise=torch.tensor([0.0, 0.1])))
    torch.testing.assert_close(noisy[0], gray[0])
    assert noisy[1].std() == pytest.approx(0.1, rel=0.1)
    holed = apply_changes(gray, replace(drawn(STILL, 2), holes=torch.full((2, 1, 2), 0.5)), hole_size=0.25)
    assert int((holed[0] == 0).sum()) == 100


def test_a_seed_gives_the_same_changes(slices):
    one, same, other = (apply_changes(slices, drawn(ChangeRanges(holes=1), seed=seed)) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert (one >= 0).all()
    assert (one <= 1).all()


@pytest.mark.parametrize("setting", [{"noise": -0.1}, {"window": 0.5}, {"elastic_points": 3}])
def test_ranges_that_cannot_be_are_refused(setting):
    with pytest.raises(SettingError, match="out of range"):
        ChangeRanges.of(setting)

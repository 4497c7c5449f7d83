"""Where body and lungs are, whatever the window, frame or letters."""

import numpy as np
import pytest
import torch

from transforms.slices import SliceInput, slice_region


def test_the_body_is_found_and_letters_are_outside(chest):
    chest[2:9, 2:12] = 255
    found = slice_region(chest, "body")
    assert found.region == "body"
    np.testing.assert_allclose(found.box, (20, 20, 101, 141), atol=3)
    assert not found.body[2:9, 2:12].any()
    assert found.body[chest == 60].all()


@pytest.mark.parametrize("scale", [(1.0, 0.0), (0.3, 100.0), (6.0, -1000.0)])
def test_window_and_units_do_not_matter(chest, scale):
    factor, offset = scale
    assert slice_region(chest * factor + offset, "body").box == slice_region(chest.astype(float), "body").box


def test_a_frame_is_trimmed(chest):
    framed = np.pad(np.pad(chest, 3, constant_values=0), 5, constant_values=255)
    found, plain = slice_region(framed, "body"), slice_region(chest, "body")
    assert np.abs(np.array(found.box) - np.array(plain.box) - 8).max() <= 2


def test_lungs_cut_open_by_a_tight_crop_stay_inside(chest):
    tight = chest[35:85, 30:130]
    found = slice_region(tight, "body")
    assert found.body[tight == 60].mean() > 0.95


def test_the_lungs_box_is_within_the_bodys(chest):
    found = slice_region(chest, "lungs")
    rows, columns = np.nonzero(chest == 60)
    assert found.region == "lungs"
    assert found.box.top <= rows.min() and found.box.bottom > rows.max()  # noqa: PT018
    assert found.box.left <= columns.min() and found.box.right > columns.max()  # noqa: PT018
    assert found.box.left > 20
    assert found.box.right < 141


def test_without_lungs_the_body_and_without_a_body_all(chest):
    assert slice_region(np.where(chest > 0, 200, 0), "lungs").region == "body"
    assert slice_region(np.zeros((50, 60)), "lungs") == ((0, 0, 50, 60), None, "all")


def test_blanking_takes_letters_away_and_nothing_else(chest):
    marked = chest.copy()
    marked[2:9, 2:12] = 255
    plain, letters = (
        torch.from_numpy(gray.astype(np.float32) * 1500 / 255 - 1350)[None, None] for gray in (chest, marked)
    )
    for blank, same in ((True, True), (False, False)):
        settings = SliceInput(image_size=(64, 64), region="all", blank_outside=blank)
        # `all` looks for no body, so nothing is blanked; the body's box is the same with and without letters.
        assert not torch.equal(settings(plain)[0], settings(letters)[0])
        settings = SliceInput(image_size=(64, 64), region="body", blank_outside=blank)
        assert settings(plain)[1] == settings(letters)[1]
        assert torch.equal(settings(plain)[0], settings(letters)[0]) or not same

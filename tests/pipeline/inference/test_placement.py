"""Patches hold the whole mask, few of them, and lie inside the volume."""

import numpy as np
import pytest

from pipeline.inference.placement import covering, lattice


def covered(places, shape):
    seen = np.zeros(shape, dtype=int)
    for place in places:
        seen[place] += 1
    return seen


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.8])
@pytest.mark.parametrize("seed", range(4))
def test_every_voxel_of_a_mask_is_covered(overlap, seed):
    generator = np.random.default_rng(seed)
    shape = tuple(generator.integers(16, 60, 3))
    mask = generator.random(shape) > 0.9997
    places = covering(mask, (16, 12, 14), overlap)
    assert all(place[axis].start >= 0 and place[axis].stop <= shape[axis] for place in places for axis in range(3))
    assert all(tuple(side.stop - side.start for side in place) == (16, 12, 14) for place in places)
    assert covered(places, shape)[mask].all()
    assert places == sorted(places, key=lambda place: [side.start for side in place])


def test_an_organ_that_tapers_takes_fewer_patches_than_its_box():
    mask = np.zeros((60, 60, 60), dtype=bool)
    mask[:20, :50, :50] = True
    mask[20:, 20:30, 20:30] = True
    assert len(covering(mask, (20, 20, 20), 0.0)) == 9 + 2
    assert len(lattice((60, 50, 50), (20, 20, 20), 0.0)) == 27


def test_a_small_mask_takes_one_patch_around_it():
    mask = np.zeros((60, 60, 60), dtype=bool)
    mask[30:34, 1:5, 55:60] = True
    assert covering(mask, (20, 20, 20), 0.5) == [(slice(22, 42), slice(0, 20), slice(40, 60))]


def test_no_mask_takes_no_patch():
    assert covering(np.zeros((20, 20, 20), dtype=bool), (10, 10, 10), 0.5) == []


def test_patches_overlap_by_the_share_asked_for():
    mask = np.ones((100, 20, 20), dtype=bool)
    starts = [place[0].start for place in covering(mask, (40, 20, 20), 0.25)]
    assert starts == [0, 30, 60]

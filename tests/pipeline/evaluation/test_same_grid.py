"""Axes are turned where that is certain, and nothing else is."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor

from pipeline.evaluation.same_grid import on_grid_of
from transforms.errors import GeometryError


def label_map(array, affine):
    return MetaTensor(torch.from_numpy(array)[None], affine=torch.from_numpy(affine))


def stored_otherwise(array, affine, order, flips):
    """The same voxels at the same places, with the axes in another order and sense."""
    array, affine = array.transpose(order), affine[:, [*order, 3]].copy()
    for axis in flips:
        array = np.flip(array, axis)
        affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
        affine[:3, axis] *= -1
    return label_map(np.ascontiguousarray(array), affine)


ARRAY = np.random.default_rng(0).integers(0, 4, (5, 6, 7)).astype(np.uint8)
OBLIQUE = np.array([[0.8, -0.6, 0, 3], [0.6, 0.8, 0, -7], [0, 0, 1, 11], [0, 0, 0, 1]]) @ np.diag([1.0, 1.5, 4.0, 1.0])


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(3)), st.sets(st.integers(0, 2)))
def test_the_same_voxels_stored_otherwise_are_turned_back(order, flips):
    reference = label_map(ARRAY, OBLIQUE)
    turned, note = on_grid_of(reference, stored_otherwise(ARRAY, OBLIQUE, tuple(order), flips))
    assert np.array_equal(turned.numpy()[0], ARRAY)
    assert (note is None) == (list(order) == [0, 1, 2] and not flips)


@pytest.mark.parametrize("change", ["moved", "spacing", "shape", "mirrored"])
def test_another_grid_is_refused(change):
    array, affine = ARRAY, OBLIQUE.copy()
    if change == "moved":
        affine[0, 3] += 0.2
    elif change == "spacing":
        affine[:, 2] *= 1.1
    elif change == "shape":
        array = ARRAY[:-1]
    else:  # the voxels mirrored in place: what a flip of the header alone would be
        affine[:, 0] *= -1
    with pytest.raises(GeometryError, match="not on one grid"):
        on_grid_of(label_map(ARRAY, OBLIQUE), label_map(np.ascontiguousarray(array), affine))

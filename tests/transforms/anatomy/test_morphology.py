import numpy as np
import pytest
from scipy import ndimage

from transforms.anatomy.morphology import depth_mm


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_depth_is_the_exact_distance_to_the_outside(order):
    mask = np.random.default_rng(3).random((14, 9, 11)) < 0.97
    spacing = [0.7, 2.0, 3.1]
    view = mask.transpose(order)
    turned = [spacing[axis] for axis in order]
    np.testing.assert_allclose(depth_mm(view, turned), ndimage.distance_transform_edt(view, sampling=turned), rtol=1e-5)


def test_depth_where_nothing_is_outside_is_larger_than_any_volume():
    assert depth_mm(np.ones((4, 4, 4), bool), [1, 1, 1]).min() > 1e6
    assert not depth_mm(np.zeros((4, 4, 4), bool), [1, 1, 1]).any()

import numpy as np
import pytest

from transforms.anatomy import with_border_lesions

SHAPE = (60, 50, 40)
SPACING = (2.0, 2.0, 2.0)
#: The left lung ends at index 20 along x, the right one begins at 40.
LUNGS = np.zeros(SHAPE, np.uint8)
LUNGS[:20], LUNGS[40:] = 1, 2


def box(x, y=(10, 20), z=(10, 20)):
    mask = np.zeros(SHAPE, bool)
    mask[slice(*x), slice(*y), slice(*z)] = True
    return mask


def test_a_lesion_at_the_border_joins_the_lung_that_it_touches():
    lesions = box((15, 24)) | box((38, 45), (30, 40))
    found = with_border_lesions(LUNGS, lesions, SPACING)
    expected = LUNGS.copy()
    expected[box((20, 24))], expected[box((38, 40), (30, 40))] = 1, 2
    assert np.array_equal(found, expected)
    assert not LUNGS[20:40].any()


def test_between_both_lungs_the_larger_contact_decides():
    lungs = LUNGS.copy()
    lungs[24:] = 2
    lesions = box((20, 22)) | box((22, 24), (10, 14))
    found = with_border_lesions(lungs, lesions, SPACING)
    assert np.array_equal(found, np.where(lesions, np.uint8(1), lungs))


def test_what_is_far_from_the_lung_stays_outside():
    found = with_border_lesions(LUNGS, box((20, 33), (5, 40), (5, 35)), SPACING)
    assert (found[20:30, 5:40, 5:35] == 1).all()
    assert not found[30:40].any()


@pytest.mark.parametrize(
    "lesions",
    [
        pytest.param(box((22, 26)), id="apart from the lung"),
        pytest.param(box((20, 38), (12, 16), (12, 16)), id="hanging on the lung by one end"),
        pytest.param(box((20, 21), (10, 12)) | box((21, 30)), id="on a foot"),
    ],
)
def test_what_has_little_contact_does_not_join(lesions):
    assert np.array_equal(with_border_lesions(LUNGS, lesions, SPACING), LUNGS)


def test_an_organ_that_mostly_lies_farther_does_not_join():
    lungs = LUNGS.copy()
    lungs[40:] = 0
    organ = box((20, 45), (0, 50), (0, 40))
    assert np.array_equal(with_border_lesions(lungs, organ, SPACING), lungs)


def test_contact_is_measured_in_square_millimetres():
    """A plate of one voxel: by faces 42 % of its surface lie on the lung, where the voxels are long 10 % by area."""
    lesions = box((20, 21), (10, 20), (10, 20))
    assert with_border_lesions(LUNGS, lesions, (2.0, 2.0, 2.0))[20, 15, 15] == 1
    assert with_border_lesions(LUNGS, lesions, (40.0, 2.0, 2.0))[20, 15, 15] == 0


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_any_order_in_memory(order):
    lesions = box((15, 24)) | box((38, 45), (30, 40))
    expected = with_border_lesions(LUNGS, lesions, SPACING)
    lungs = np.ascontiguousarray(LUNGS.transpose(order)).transpose(np.argsort(order))
    assert np.array_equal(with_border_lesions(lungs, lesions, SPACING), expected)


def test_no_lesion_outside_leaves_the_mask_alone():
    assert with_border_lesions(LUNGS, box((5, 15)), SPACING) is LUNGS

"""What is drawn: millimetres, limits, and that no deformation folds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from transforms.augmentation import Deformation, DeformationRanges, Positions
from transforms.augmentation.deformation import LARGEST_MAGNITUDE, draw_deformation
from transforms.errors import SettingError

SPACING = (1.0, 1.5, 2.0)


def offsets_mm(deformation, size, spacing=SPACING):
    """Where each voxel is sampled, in millimetres off the centre."""
    places = Positions.of(deformation, size, spacing, (0, 0, 0)).dense().double().numpy()
    return places * np.reshape(spacing, (3, 1, 1, 1))


def affine(matrix, translation=(0, 0, 0)):
    return Deformation(
        matrix=np.asarray(matrix, dtype=float),
        translation_mm=np.asarray(translation, dtype=float),
        control_mm=None,
        control_spacing_mm=1.0,
    )


def test_a_quarter_turn_is_one_in_millimetres():
    offsets = offsets_mm(affine([[0, -1, 0], [1, 0, 0], [0, 0, 1]]), (3, 3, 1))
    # One voxel along x (1 mm) is looked for one millimetre along y.
    np.testing.assert_allclose(offsets[:, 2, 1, 0], [0, 1, 0], atol=1e-6)


def test_a_translation_is_one_in_millimetres():
    places = Positions.of(affine(np.eye(3), (3, 3, 3)), (3, 3, 3), SPACING, (10, 10, 10)).dense()
    np.testing.assert_allclose(places[:, 1, 1, 1], [13, 12, 11.5], atol=1e-5)


@pytest.mark.parametrize("spacing", [SPACING, (0.7, 0.7, 5.0)])
def test_the_field_is_the_spline_of_its_control_points_whatever_the_voxels(spacing):
    """Compared with SciPy's splines at the places of the voxels in millimetres."""
    size = (20, 18, 9)
    ranges = DeformationRanges(elastic_mm=6, elastic_spacing_mm=16)
    extent = [n * mm for n, mm in zip(size, spacing, strict=True)]
    deformation = draw_deformation(np.random.RandomState(1), ranges, extent)
    x = np.stack(
        np.meshgrid(*[(np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(size, spacing, strict=True)], indexing="ij")
    )
    middle = (np.array(deformation.control_mm.shape[1:]).reshape(3, 1, 1, 1) - 1) / 2
    field = [
        ndimage.map_coordinates(part, x / 16 + middle, order=3, prefilter=False, mode="grid-constant")
        for part in deformation.control_mm
    ]
    expected = np.tensordot(deformation.matrix, x + np.stack(field), axes=1)
    np.testing.assert_allclose(offsets_mm(deformation, size, spacing), expected, atol=2e-4)


def test_positions_keep_within_their_bounds():
    for seed in range(10):
        deformation = draw_deformation(np.random.RandomState(seed), DeformationRanges(elastic_mm=16), (30, 30, 30))
        positions = Positions.of(deformation, (30, 20, 15), SPACING, (50, 40, 30))
        dense = positions.dense().double().numpy().reshape(3, -1)
        assert (dense.min(axis=1) >= positions.low - 1e-3).all()
        assert (dense.max(axis=1) <= positions.high + 1e-3).all()


RANGES = st.builds(
    DeformationRanges,
    rotation_degrees=st.tuples(*[st.floats(0, 180)] * 3),
    scale=st.floats(0, 1),
    shear=st.floats(0, 0.45),
    elastic_mm=st.floats(0, LARGEST_MAGNITUDE * 20),
    elastic_spacing_mm=st.floats(20, 60),
    in_plane=st.booleans(),
)


@settings(max_examples=40, deadline=None)
@given(ranges=RANGES, seed=st.integers(0, 2**31 - 1), hardest=st.booleans())
def test_no_deformation_folds(ranges, seed, hardest):
    """The Jacobian is positive everywhere, even where every control point is displaced as far as it may be."""
    size, spacing = (32, 32, 20), (1.5, 1.5, 2.5)
    drawn = draw_deformation(np.random.RandomState(seed), ranges, (48, 48, 50))
    control = drawn.control_mm
    if hardest and control is not None:
        control = LARGEST_MAGNITUDE * ranges.elastic_spacing_mm * np.sign(control)
    deformation = Deformation(
        matrix=drawn.matrix,
        translation_mm=drawn.translation_mm,
        control_mm=control,
        control_spacing_mm=drawn.control_spacing_mm,
    )
    assert np.linalg.det(drawn.matrix) > 0
    place = offsets_mm(deformation, size, spacing)
    jacobian = np.stack([np.stack(np.gradient(place[axis], *spacing), -1) for axis in range(3)], -2)
    assert np.linalg.det(jacobian).min() > 0


def test_a_field_beyond_the_limit_does_fold():
    """The limit is not merely cautious: two and a half times as far, the same fields fold."""
    folded = 0
    for seed in range(5):
        signs = np.sign(np.random.RandomState(seed).uniform(-1, 1, (3, 8, 8, 8)))
        deformation = Deformation(
            matrix=np.eye(3),
            translation_mm=np.zeros(3),
            control_mm=2.5 * LARGEST_MAGNITUDE * 20 * signs,
            control_spacing_mm=20,
        )
        place = offsets_mm(deformation, (60, 60, 60), (1, 1, 1))
        jacobian = np.stack([np.stack(np.gradient(place[axis]), -1) for axis in range(3)], -2)
        folded += np.linalg.det(jacobian).min() < 0
    assert folded == 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"elastic_mm": 20, "elastic_spacing_mm": 40},
        {"shear": 0.5},
        {"scale": -0.1},
        {"rotation_degrees": (10, 10)},
        {"translation_mm": (0, 0, float("nan"))},
    ],
)
def test_ranges_that_cannot_be_used_are_refused(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        DeformationRanges(**wrong)


def test_an_unknown_setting_is_refused():
    with pytest.raises(SettingError, match="elastic_magnitude"):
        DeformationRanges.of({"elastic_magnitude": 3})


def test_in_plane_moves_nothing_along_the_slices():
    ranges = DeformationRanges(in_plane=True, translation_mm=(5, 5, 5), elastic_mm=16)
    for seed in range(5):
        offsets = offsets_mm(draw_deformation(np.random.RandomState(seed), ranges, (60, 60, 6)), (40, 40, 3))
        np.testing.assert_allclose(offsets[2], np.broadcast_to([-2.0, 0, 2], (40, 40, 3)), atol=1e-5)
        np.testing.assert_allclose(offsets[:2, ..., 0], offsets[:2, ..., 2], atol=1e-5)

"""The inverse: each voxel of the volume finds the patch voxel that shows it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor

from transforms.augmentation import Deformation, DeformationRanges, Positions, RandAffineElastic, draw_deformation
from transforms.augmentation.deformation import LARGEST_MAGNITUDE
from transforms.augmentation.inverting import inverse_positions
from transforms.augmentation.sampling import grid_sample

SPACING = np.array([1.0, 1.5, 2.0])
SIZE = (36, 28, 20)


def largest_error(deformation):
    """Where the patch's voxels are sampled, and what patch voxels the inverse finds there: in voxels."""
    positions = Positions.of(deformation, SIZE, SPACING, (0, 0, 0))
    low, high = np.floor(positions.low), np.ceil(positions.high) + 1
    back = inverse_positions(deformation, SIZE, SPACING, low, (high - low).astype(int))
    places = positions.dense() - torch.from_numpy(low).float().reshape(3, 1, 1, 1)
    found = grid_sample(back[None], places[None], mode="linear", outside=0.0)[0]
    expected = np.stack(np.meshgrid(*[np.arange(n) for n in SIZE], indexing="ij"))
    return float(np.abs(found.numpy() - expected).max())


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), in_plane=st.booleans(), elastic=st.floats(0, LARGEST_MAGNITUDE))
def test_there_and_back(seed, in_plane, elastic):
    ranges = DeformationRanges(
        rotation_degrees=(90, 90, 90), elastic_mm=elastic * 25, elastic_spacing_mm=25, in_plane=in_plane
    )
    deformation = draw_deformation(np.random.RandomState(seed), ranges, np.array(SIZE) * SPACING)
    assert largest_error(deformation) < 0.35


def test_there_and_back_with_fields_at_their_limit():
    for seed in range(4):
        signs = np.sign(np.random.RandomState(seed).uniform(-1, 1, (3, 7, 7, 7)))
        deformation = Deformation(
            matrix=np.eye(3),
            translation_mm=np.array([1.0, -2, 3]),
            control_mm=LARGEST_MAGNITUDE * 25 * signs,
            control_spacing_mm=25,
        )
        assert largest_error(deformation) < 0.7


@pytest.mark.parametrize("in_plane", [False, True])
def test_a_smooth_image_comes_back(in_plane):
    axes = [torch.linspace(0, 3, n) for n in (48, 40, 30)]
    smooth = torch.sin(axes[0])[:, None, None] + torch.cos(axes[1])[:, None] * axes[2]
    affine = torch.diag(torch.tensor([*SPACING, 1.0]))
    volume = MetaTensor(smooth[None], affine=affine, meta={"format": "nifti"})
    ranges = DeformationRanges(in_plane=in_plane, elastic_mm=8, elastic_spacing_mm=20)
    for seed in range(3):
        transform = RandAffineElastic((36, 30, 21), ranges=ranges, padding_value=-9).set_random_state(seed=seed)
        patch = transform(volume)
        ones = transform(MetaTensor(torch.ones(volume.shape), affine=affine), randomize=False)
        back = transform.inverse(patch)
        assert back.shape == volume.shape
        assert back.meta["format"] == "nifti"
        assert not back.applied_operations
        torch.testing.assert_close(back.affine, volume.affine)
        shown = transform.inverse(ones)[0] > 0.999  # neither outside nor blended with what is
        assert shown.float().mean() > 0.15
        assert float((back - volume)[0][shown].abs().quantile(0.99)) < 0.05
        assert float(back[0][~shown].min()) == -9


def test_a_straight_patch_comes_back_exactly():
    volume = MetaTensor(torch.rand((1, 12, 11, 10)))
    transform = RandAffineElastic((6, 5, 14)).set_random_state(seed=0)
    back = transform.inverse(transform(volume))
    shown = back != 0
    assert int(shown.sum()) == 6 * 5 * 10
    assert torch.equal(back[shown], volume[shown])


def test_later_operations_stay_and_earlier_ones_are_kept():
    volume = MetaTensor(torch.rand((1, 12, 11, 10)), applied_operations=[{"class": "Earlier"}])
    transform = RandAffineElastic((6, 6, 6)).set_random_state(seed=0)
    patch = transform(volume)
    assert [op["class"] for op in patch.applied_operations] == ["Earlier", "RandAffineElastic"]
    assert [op["class"] for op in volume.applied_operations] == ["Earlier"]
    assert [op["class"] for op in transform.inverse(patch).applied_operations] == ["Earlier"]

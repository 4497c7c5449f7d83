"""The training patch: where it lies, how it is deformed, and that image and label stay together."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import ClassesToIndicesd

from transforms.augmentation import Deformation, DeformationRanges, RandAffineElasticd, draw_deformation, sample_patch
from transforms.errors import SettingError

SPACING = (1.0, 1.5, 2.0)


def pair(shape=(40, 36, 30), label_at=(slice(5, 9), slice(20, 26), slice(10, 14))):
    affine = torch.diag(torch.tensor([*SPACING, 1.0], dtype=torch.float64))
    label = torch.zeros((1, *shape), dtype=torch.uint8)
    label[(0, *label_at)] = 1
    image = label.float() * 0.5 + 0.25
    return {"image": MetaTensor(image, affine=affine), "label": MetaTensor(label, affine=affine)}


def with_indices(data):
    return ClassesToIndicesd("label", num_classes=2)(data)


def straight(matrix=None):
    return Deformation(matrix=np.eye(3) if matrix is None else matrix, control_mm=None, control_spacing_mm=1.0)


def positions(deformation, size, centre):
    offsets = deformation.offsets_mm(size, SPACING)
    return torch.stack([offsets[a] / SPACING[a] + centre[a] for a in range(3)])


def test_without_deformation_the_patch_is_a_crop():
    volume = torch.rand((2, 20, 21, 22))
    size, start = (8, 7, 6), (3, 5, 9)
    centre = [s + (n - 1) / 2 for s, n in zip(start, size, strict=True)]
    crop = volume[:, 3:11, 5:12, 9:15]
    for mode in ("linear", "nearest"):
        patch = sample_patch(volume, positions(straight(), size, centre), mode=mode)
        torch.testing.assert_close(patch, crop, atol=1e-5, rtol=0)


def test_what_lies_outside_is_zero():
    volume = torch.ones((1, 4, 4, 4))
    patch = sample_patch(volume, positions(straight(), (8, 8, 8), (1.5, 1.5, 1.5)))
    assert torch.equal(patch[:, 2:6, 2:6, 2:6], volume)
    assert patch.sum() == volume.sum()
    assert sample_patch(volume, positions(straight(), (2, 2, 2), (50, 50, 50))).abs().sum() == 0


def test_a_quarter_turn_is_one_in_millimetres():
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    offsets = straight(turn).offsets_mm((3, 3, 1), SPACING)
    # One voxel along x (1 mm) is looked for one millimetre along y.
    np.testing.assert_allclose(offsets[:, 2, 1, 0], [0, 1, 0], atol=1e-6)


def test_a_linear_field_moves_by_itself():
    """A B-spline reproduces linear functions: control points on a line displace on that line everywhere."""
    spacing, counts = 10.0, (9, 7, 7)
    line = (np.arange(counts[0]) - (counts[0] - 1) / 2) * spacing
    control = np.zeros((3, *counts))
    control[0] = 0.1 * line[:, None, None]
    deformation = Deformation(matrix=np.eye(3), control_mm=control, control_spacing_mm=spacing)
    offsets = deformation.offsets_mm((20, 8, 6), SPACING)
    x = (np.arange(20) - 9.5) * SPACING[0]
    np.testing.assert_allclose(offsets[0, :, 4, 3], 1.1 * x, atol=1e-4)
    np.testing.assert_allclose(offsets[1, 4, :, 3], (np.arange(8) - 3.5) * SPACING[1], atol=1e-4)


@pytest.mark.parametrize("seed", range(8))
def test_the_largest_elastic_field_never_folds(seed):
    ranges = DeformationRanges(rotation_degrees=(0, 0, 0), scale=0, shear=0, elastic_mm=8, elastic_spacing_mm=20)
    random = np.random.RandomState(seed)
    drawn = draw_deformation(random, ranges, (48, 72, 64))
    worst = Deformation(
        matrix=np.eye(3), control_mm=8 * np.sign(drawn.control_mm), control_spacing_mm=drawn.control_spacing_mm
    )
    for deformation in (drawn, worst):
        place = deformation.offsets_mm((48, 48, 32), SPACING).double().numpy()
        gradient = np.stack([np.stack(np.gradient(place[a], *SPACING), -1) for a in range(3)], -2)
        assert np.linalg.det(gradient).min() > 0


def test_a_field_that_could_fold_is_refused():
    with pytest.raises(SettingError, match="fold"):
        DeformationRanges(elastic_mm=20, elastic_spacing_mm=40)


def test_image_and_label_stay_together():
    transform = RandAffineElasticd(["image", "label"], (24, 24, 24), ranges=DeformationRanges())
    for seed in range(10):
        out = transform.set_random_state(seed=seed)(with_indices(pair()))
        assert out["image"].shape == out["label"].shape == (1, 24, 24, 24)
        assert out["label"].dtype == torch.uint8
        inside = out["image"].as_tensor() > 0.5
        assert (inside != (out["label"].as_tensor() == 1)).float().mean() < 0.02


def test_patches_show_the_foreground_as_often_as_asked():
    transform = RandAffineElasticd(["image", "label"], (12, 12, 12), foreground=1.0, jitter=0.5)
    data = with_indices(pair())
    hits = [bool(transform.set_random_state(seed=seed)(data)["label"].any()) for seed in range(30)]
    assert all(hits)
    rare = RandAffineElasticd(["image", "label"], (12, 12, 12), foreground=0.0)
    assert not all(bool(rare.set_random_state(seed=seed)(data)["label"].any()) for seed in range(30))


def test_the_same_seed_gives_the_same_patch():
    transform = RandAffineElasticd(["image", "label"], (16, 16, 16), ranges=DeformationRanges())
    data = with_indices(pair())
    first = transform.set_random_state(seed=5)(data)["image"]
    transform(data)
    assert torch.equal(first, transform.set_random_state(seed=5)(data)["image"])


def test_slabs_are_deformed_alike_in_every_slice():
    shape = (48, 48, 9)
    slice_image = torch.rand((1, 48, 48, 1), generator=torch.Generator().manual_seed(0))
    volume = slice_image.expand(1, *shape) + torch.arange(9) * 10
    data = {"image": MetaTensor(volume.contiguous(), affine=torch.eye(4, dtype=torch.float64))}
    ranges = DeformationRanges(in_plane=True)
    transform = RandAffineElasticd("image", (32, 32, 3), ranges=ranges, indices_key=None, mode="linear")
    out = transform.set_random_state(seed=1)(data)
    inner = out["image"][0, 8:24, 8:24].as_tensor()
    torch.testing.assert_close(inner[..., 1] - inner[..., 0], torch.full((16, 16), 10.0), atol=1e-3, rtol=0)
    torch.testing.assert_close(inner[..., 2] - inner[..., 1], torch.full((16, 16), 10.0), atol=1e-3, rtol=0)


def test_the_affine_says_where_a_straight_patch_was():
    data = pair()
    data["image"] = MetaTensor(torch.arange(40.0 * 36 * 30).reshape(1, 40, 36, 30), affine=data["image"].affine)
    out = RandAffineElasticd(["image", "label"], (10, 10, 10), indices_key=None).set_random_state(seed=3)(data)
    start = torch.linalg.solve(data["image"].affine, out["image"].affine)[:3, 3].round().long()
    expected = data["image"][(0, *start.tolist())]
    assert float(out["image"][0, 0, 0, 0]) == pytest.approx(float(expected), abs=0.1)

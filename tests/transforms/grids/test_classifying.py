"""Classes from shares on a coarser grid equal those of interpolating everything, whatever the shares are."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from transforms.grids import Grid, classifying
from transforms.grids.classifying import classify, largest
from transforms.grids.resampling import resample

FINE = (40, 37, 31)


def grids(spacing, shape=(17, 15, 12)):
    """A coarse grid and a fine one that begins half a coarse voxel before it."""
    coarse = Grid(shape=shape, affine=np.diag([*spacing, 1.0]))
    affine = np.diag([0.9, 0.9, 1.1, 1.0])
    affine[:3, 3] = -0.5 * np.asarray(spacing)
    return coarse, Grid(shape=FINE, affine=affine)


def blobs(channels, shape, seed=0):
    """Smooth logits: large areas of one class, as networks give them."""
    noise = np.random.default_rng(seed).normal(size=(channels, *shape))
    smooth = np.stack([ndimage.gaussian_filter(part, 2.5) for part in noise])
    return torch.from_numpy(smooth / smooth.std()).float() * 4


@pytest.mark.parametrize("spacing", [(2.0, 2.1, 2.7), (0.9, 0.9, 1.1), (0.4, 0.5, 0.6)])
@pytest.mark.parametrize("has_background", [True, False])
@pytest.mark.parametrize("whole", [0.0, 1.0])
def test_equals_interpolating_everything(spacing, has_background, whole, monkeypatch):
    monkeypatch.setattr(classifying, "MAX_MIXED_SHARE", whole)
    coarse, fine = grids(spacing)
    logits = blobs(3, coarse.shape)
    shares = logits.softmax(0) if has_background else logits.sigmoid()
    expected = largest(resample(shares, coarse, fine), has_background)
    found = classify(shares, coarse, fine, has_background=has_background)
    assert found.dtype == torch.uint8
    assert found.unique().numel() > 2
    # Sums in another order may fall to the other side where two classes share a voxel equally.
    assert (found != expected).sum() <= 3


def test_only_voxels_between_different_classes_are_interpolated(monkeypatch):
    coarse, fine = grids((2.0, 2.1, 2.7))
    shares = torch.zeros((2, *coarse.shape))
    shares[1, :8], shares[0, 8:] = 1, 1
    asked = []
    interpolated = classifying._interpolated

    def noted(shares, axes, chosen, shape):
        asked.append(chosen)
        return interpolated(shares, axes, chosen, shape)

    monkeypatch.setattr(classifying, "_interpolated", noted)
    classes = classify(shares, coarse, fine, has_background=True)
    x = (torch.arange(FINE[0]) * 0.9 - 1.0) / 2.0
    assert torch.equal(classes[:, 3, 3], (x < 7.5).to(torch.uint8))
    between = int(((x >= 7) & (x < 8)).sum())
    assert asked[0].numel() == between * FINE[1] * FINE[2]


def test_a_grid_of_one_slice_repeats_it():
    coarse, fine = grids((2.0, 2.1, 2.7), shape=(17, 15, 1))
    shares = blobs(2, coarse.shape).softmax(0)
    expected = largest(resample(shares, coarse, fine), True)
    found = classify(shares, coarse, fine, has_background=True)
    assert (found != expected).sum() <= 3
    assert torch.equal(found[..., 0], found[..., -1])

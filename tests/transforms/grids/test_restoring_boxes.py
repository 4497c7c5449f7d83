"""Lesions that fill a part of the network grid come back as if everything were interpolated, also at its edges."""

import numpy as np
import pytest
import torch

from transforms.grids import Grid, resample, restore_label_map, restoring
from transforms.grids.classifying import largest
from transforms.grids.restoring import class_shares

NETWORK = Grid(shape=(14, 12, 10), affine=np.diag([2.0, 2.0, 3.0, 1.0]))
NATIVE = Grid(shape=(31, 29, 26), affine=np.diag([0.9, 0.8, 1.1, 1.0]))


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("at", [(0, 0, 0), (5, 4, 3), (11, 9, 7)])
def test_a_small_lesion_is_restored_alone(activation, at, monkeypatch):
    monkeypatch.setattr(restoring, "SLAB_VOXELS", 5 * 31 * 29)
    generator = torch.Generator().manual_seed(sum(at))
    has_background = activation == "softmax"
    logits = torch.full((3, *NETWORK.shape), -4.0)
    if has_background:
        logits[0] = 4
    box = tuple(slice(start, start + 3) for start in at)
    logits[(slice(None), *box)] += torch.randn((3, 3, 3, 3), generator=generator) * 9
    shares = class_shares(logits, activation)
    expected = largest(resample(shares, NETWORK, NATIVE), has_background)
    found = restore_label_map(logits, NETWORK, NATIVE, activation=activation)[0]
    assert found.any()
    assert (found != expected).sum() <= 2


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_nothing_found_is_nothing_restored(activation, monkeypatch):
    monkeypatch.setattr(restoring, "classify", None)
    logits = torch.full((2, *NETWORK.shape), -3.0)
    if activation == "softmax":
        logits[0] = 3
    assert not restore_label_map(logits, NETWORK, NATIVE, activation=activation).any()

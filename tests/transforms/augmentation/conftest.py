"""An image and a label map with something to see."""

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import ClassesToIndicesd


@pytest.fixture
def pair():
    """An image and a label map that show the same box, in voxels of 1 x 1.5 x 2 mm."""
    affine = torch.diag(torch.tensor([1.0, 1.5, 2.0, 1.0], dtype=torch.float64))
    label = torch.zeros((1, 40, 36, 30), dtype=torch.uint8)
    label[0, 5:9, 20:26, 10:14] = 1
    image = label.float() * 0.5 + 0.25
    return {"image": MetaTensor(image, affine=affine), "label": MetaTensor(label, affine=affine)}


@pytest.fixture
def with_indices(pair):
    """The same, and where its classes are."""
    return ClassesToIndicesd("label", num_classes=2)(pair)

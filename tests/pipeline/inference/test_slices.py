"""Classifiers over slices in batches, flipped views, and where they looked."""

import pytest
import torch
from torch import nn

from pipeline.inference.gradcam import class_activation
from pipeline.inference.slices import SliceInferer
from pipeline.networks import Ensemble
from pipeline.networks.classifiers import classifier, last_features


class LeftMinusRight(nn.Module):
    """Logits that say which half is brighter."""

    def forward(self, image):
        half = image.shape[-1] // 2
        left, right = image[..., :half].mean(dim=(1, 2, 3)), image[..., half:].mean(dim=(1, 2, 3))
        return torch.stack([left, right], dim=1)


def test_batches_give_what_one_by_one_gives():
    slices, seen = torch.rand(7, 2, 8, 8), []
    inferer = SliceInferer(3, precision="float32", progress=lambda done, total: seen.append((done, total)))
    logits = inferer(slices[None], LeftMinusRight())
    assert logits.shape == (1, 7, 2)
    torch.testing.assert_close(logits[0], LeftMinusRight()(slices))
    torch.testing.assert_close(inferer(slices, LeftMinusRight()), logits[0])
    assert seen == [(3, 7), (6, 7), (7, 7)]


def test_mirrored_views_are_averaged():
    slices = torch.rand(2, 1, 8, 8)
    logits = SliceInferer(flips=[[], [-1]], precision="float32")(slices, LeftMinusRight())
    torch.testing.assert_close(logits[:, 0], logits[:, 1])
    torch.testing.assert_close(logits[:, 0], slices.mean(dim=(1, 2, 3)))


class Blob(nn.Module):
    """A convolution that keeps the image, and logits from its mean."""

    def __init__(self, logits):
        super().__init__()
        self.keep = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(self.keep.weight)
        self.logits = logits

    def forward(self, image):
        mean = torch.relu(self.keep(image)).mean(dim=(2, 3))
        return mean if self.logits == 1 else torch.cat([-mean, mean], dim=1)


@pytest.mark.parametrize("logits", [1, 2])
def test_the_map_shows_what_spoke_for_the_class(logits):
    images = torch.zeros(2, 1, 16, 16)
    images[0, 0, 2:5, 2:5] = 1
    images[1, 0, 10:13, 8:11] = 0.5
    network = Blob(logits)
    maps = class_activation(network, images, "keep", 1)
    torch.testing.assert_close(maps, (images[:, 0] > 0).float())
    assert not class_activation(network, images, "keep", 0).any()
    assert not network.keep._forward_hooks
    assert not network.keep._backward_hooks


class Half(Blob):
    """Sees the left half alone."""

    def forward(self, image):
        return super().forward(image * (torch.arange(image.shape[3]) < image.shape[3] // 2))


def test_the_map_of_an_ensemble_is_the_mean_of_its_networks():
    images = torch.zeros(1, 1, 16, 16)
    images[0, 0, 2:5, 2:5] = 0.5
    images[0, 0, 2:5, 10:13] = 1
    both = Ensemble([Blob(2), Half(2)])
    (found,) = class_activation(both, images, "keep", 1)
    one, other = (class_activation(network, images, "keep", 1)[0] for network in both.networks)
    torch.testing.assert_close(found, (one + other) / (one + other).max())
    assert found[3, 3] != one[3, 3]
    assert last_features(Ensemble([classifier("resnet18", 1, 2)] * 2), 1) == "layer4.1.conv2"


@pytest.mark.parametrize("name", ["densenet121", "resnet18", "resnet18_fpn", "seresnet50", "efficientnet-b0"])
def test_every_network_has_a_map(name):
    torch.manual_seed(0)
    network = classifier(name, 1, 2).eval()
    with torch.inference_mode():  # as within an evaluator
        maps = class_activation(network, torch.rand(1, 1, 64, 96), last_features(network, 1), 1)
    assert maps.shape == (1, 64, 96)
    assert float(maps.max()) in (0.0, 1.0)
    assert not torch.isnan(maps).any()

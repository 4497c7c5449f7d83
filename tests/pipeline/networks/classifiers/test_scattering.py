"""The scattering network: what flat, striped and mirrored slices measure, and that Grad-CAM finds its maps."""

import math

import pytest
import torch

from pipeline.inference.gradcam import class_activation
from pipeline.networks.classifiers import classifier, last_features
from pipeline.networks.classifiers.scattering import FIELDS, GRID, SCALES, TONES, Scattering, Standardise


@pytest.fixture(scope="module")
def front():
    return Scattering()


def stripes(period):
    return (0.5 + 0.4 * torch.sin(2 * math.pi * torch.arange(128) / period)).expand(1, 1, 128, 128)


def test_a_flat_slice_has_one_tone_and_no_texture(front):
    maps = front(torch.full((1, 1, 128, 128), 3 / (TONES - 1)))
    assert maps.shape == (1, front.channels, GRID, GRID)
    assert maps[0, :TONES].mean(dim=(1, 2)).argmax() == 3
    torch.testing.assert_close(maps[0, TONES:], torch.full((front.channels - TONES, GRID, GRID), math.log(1e-3)))


@pytest.mark.parametrize("scale", [0, 1, 2])
def test_stripes_are_found_at_their_own_scale(front, scale):
    first = front(stripes(3.4 * 2**scale))[0, TONES : TONES + 2 * SCALES : 2].mean(dim=(1, 2))
    assert int(first.argmax()) == scale


def test_a_mirrored_slice_has_mirrored_maps(front):
    image = torch.rand((1, 1, 128, 128), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(front(image.flip(-1)), front(image).flip(-1), atol=1e-3, rtol=1e-3)


def test_channels_and_slices_of_a_batch_do_not_mix(front):
    images = torch.rand((2, 3, 128, 128), generator=torch.Generator().manual_seed(0))
    maps = front(images)
    torch.testing.assert_close(maps[1, front.channels : 2 * front.channels], front(images[1:, 1:2])[0])


def test_slices_of_other_sizes_are_brought_to_the_one_it_measures(front):
    assert front(torch.rand(1, 1, 64, 96)).shape == (1, front.channels, GRID, GRID)


def test_grad_cam_sees_where_a_texture_is():
    network = classifier("scattering", 1, 2).eval()
    with torch.no_grad():  # by hand: the more of the finest texture, the more of the second class
        for parameter in (*network.hidden.parameters(), *network.head.parameters()):
            parameter.zero_()
        network.hidden[1].weight[0, network.front.channels * FIELDS**2 + TONES] = 1
        network.hidden[1].bias[0] = 10
        network.head.weight[1, 0] = 1
        network.standardise_maps.running_mean.fill_(math.log(1e-3))
    rough = torch.full((1, 1, 128, 128), 0.5)
    rough[:, :, 16:64, 16:64] = torch.rand((48, 48), generator=torch.Generator().manual_seed(0))
    seen = class_activation(network, rough, last_features(network, 1), 1)[0]
    assert seen[24:56, 24:56].min() > 0.5
    assert seen[80:, 80:].max() < 0.01


@pytest.mark.parametrize("shape", [(8, 4), (8, 4, 5, 6)])
def test_standardised_as_batch_norm_does(shape):
    values = 3 + 2 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    own = Standardise(4)
    stock = (torch.nn.BatchNorm1d if len(shape) == 2 else torch.nn.BatchNorm2d)(4, affine=False)
    torch.testing.assert_close(own(values), stock(values))
    torch.testing.assert_close(own.eval()(values), stock.eval()(values))

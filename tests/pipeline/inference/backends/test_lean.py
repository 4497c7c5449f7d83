"""Rewritten networks say what the networks say, in float32 to rounding and in bfloat16 to its precision."""

import copy

import pytest
import torch
from monai.networks.nets import UNet
from torch import nn

from pipeline.inference.backends.folding import FoldedTop
from pipeline.inference.backends.lean import can_be_lean, lean
from pipeline.networks import UNetELU


def unet(classes=4, dims=3, channels=(16, 32, 64), **args):
    torch.manual_seed(classes)
    network = UNet(dims, 1, classes, channels, (2,) * (len(channels) - 1), num_res_units=2, norm="instance", **args)
    for parameter in network.parameters():
        if parameter.numel() == 1:
            nn.init.uniform_(parameter, 0.05, 0.6)  # slopes that are not all alike
    return network.eval()


def patch(dims=3, size=16):
    return torch.rand((2, 1, *[size + 8 * axis for axis in range(dims)]), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("classes", [1, 2, 3, 4, 7])
def test_the_folded_level_is_the_level(classes):
    network, image = unet(classes), patch()
    rewritten = lean(network, torch.float32)
    assert any(isinstance(module, FoldedTop) for module in rewritten.modules())
    with torch.inference_mode():
        torch.testing.assert_close(rewritten(image), network(image), atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize(
    "network",
    [
        unet(dims=2),
        unet(dropout=0.3),
        unet(bias=False),
        unet(channels=(5, 7, 9)),
        unet(up_kernel_size=5),
        unet(act="RELU"),
        unet(act=("prelu", {"num_parameters": 1, "init": 0.1})),
        UNetELU(1, 3, channels=(4, 8), dropout=(0.1, 0.2)).eval(),
    ],
    ids=["2d", "dropout", "no bias", "odd channels", "up kernel", "relu", "prelu", "elu"],
)
def test_other_networks_say_the_same_too(network):
    image = patch(
        2 if isinstance(next(network.parameters()), torch.Tensor) and next(network.parameters()).ndim == 4 else 3
    )
    assert can_be_lean(network)
    with torch.inference_mode():
        torch.testing.assert_close(lean(network, torch.float32)(image), network(image), atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("size", [8, 16, 40])  # the deepest level holds from 48 voxels to 1680
def test_a_single_part_is_normalised_as_many_are(size):
    images = patch(size=size)
    plain, reduced = lean(unet(), torch.float32), lean(unet(), torch.bfloat16)
    with torch.inference_mode():
        together, near = plain(images), (reduced(images.bfloat16()) - plain(images)).abs().mean()
        for part, expected in zip(images, together, strict=True):
            torch.testing.assert_close(plain(part[None])[0], expected, atol=2e-4, rtol=1e-3)
            assert (reduced(part[None].bfloat16())[0] - expected).abs().mean() < 1.5 * near


def test_small_maps_of_a_single_part_are_convolved_by_onednn_too():
    network, image = lean(unet(), torch.float32), patch(size=16)[:1]
    with torch.inference_mode(), torch.profiler.profile() as profile:
        network(image)
    computed = {event.key for event in profile.key_averages()}
    assert "aten::mkldnn_convolution" in computed
    assert "aten::slow_conv3d_forward" not in computed


def test_in_bfloat16_it_is_as_near_as_under_autocast():
    network, image = unet(), patch(size=32)
    with torch.inference_mode():
        expected = network(image)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            usual = (network(image).float() - expected).abs().mean()
        ours = (lean(network, torch.bfloat16)(image.bfloat16()).float() - expected).abs().mean()
    assert ours < 1.5 * usual


def test_the_network_itself_is_left_alone():
    network, image = unet(), patch()
    before = copy.deepcopy(network.state_dict())
    lean(network, torch.bfloat16)(image.bfloat16())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_networks_with_unknown_layers_or_in_training_are_refused():
    assert not can_be_lean(unet().train())
    assert not can_be_lean(UNet(3, 1, 2, (8, 16), (2,), norm="batch").eval())
    assert not can_be_lean(nn.Sequential(nn.Conv3d(1, 1, 3), nn.Softmax(1)).eval())

"""Instance norm and PReLU in one step say, and learn, what they do one after the other."""

import copy

import pytest
import torch
from monai.networks.blocks import ADN
from monai.networks.nets import UNet
from torch import nn

from pipeline.networks import FusedADN, fused_for_training


def block(channels, slope, dims=3):
    made = ADN("NDA", in_channels=channels, act="prelu", norm="instance", norm_dim=dims, dropout=0.0, dropout_dim=dims)
    nn.init.constant_(made.A.weight, slope)
    return made


def learnt(module, features, gradient):
    """What comes out, and the gradients of what goes in and of the slope."""
    inputs = features.clone(memory_format=torch.preserve_format).requires_grad_()
    module.A.weight.grad = None
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=features.dtype == torch.bfloat16):
        out = module(inputs)
    out.backward(gradient.to(out.dtype))
    return out.detach(), inputs.grad, module.A.weight.grad


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("channels", [4, 16, 32])
@pytest.mark.parametrize("slope", [-0.2, 0.0, 0.25, 1.5])
@pytest.mark.parametrize("last", [True, False], ids=["channels last", "contiguous"])
def test_it_learns_the_same(samples, channels, slope, last):
    generator = torch.Generator().manual_seed(channels)
    features, gradient = (torch.randn((samples, channels, 6, 5, 4), generator=generator) for _ in range(2))
    features = 3 * features + 2
    if last:
        features, gradient = (one.to(memory_format=torch.channels_last_3d) for one in (features, gradient))
    plain = block(channels, slope)
    fused = fused_for_training(nn.Sequential(copy.deepcopy(plain)))[0]
    assert isinstance(fused, FusedADN)
    for found, expected in zip(learnt(fused, features, gradient), learnt(plain, features, gradient), strict=True):
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


def test_in_bfloat16_it_learns_nearly_the_same():
    features, gradient = torch.randn((2, 2, 16, 8, 8, 8), generator=torch.Generator().manual_seed(0)).bfloat16()
    exact = learnt(block(16, 0.25), features.float(), gradient.float())
    usual = learnt(block(16, 0.25), features, gradient)
    fused = learnt(fused_for_training(block(16, 0.25)), features, gradient)
    for found, other, expected in zip(fused, usual, exact, strict=True):
        assert (found.float() - expected).abs().mean() <= 1.2 * (other.float() - expected).abs().mean() + 1e-3


def test_a_unet_learns_the_same_and_keeps_its_names():
    torch.manual_seed(0)
    plain = UNet(3, 1, 2, (16, 32, 64), (2, 2), num_res_units=2, norm="instance")
    fused = fused_for_training(copy.deepcopy(plain))
    blocks = [module for module in fused.modules() if isinstance(module, ADN)]
    assert blocks
    assert all(isinstance(module, FusedADN) for module in blocks)
    assert list(fused.state_dict()) == list(plain.state_dict())
    image = torch.rand((2, 1, 16, 24, 16), generator=torch.Generator().manual_seed(1))
    for network in (plain, fused):
        network(image).square().mean().backward()
    for one, other in zip(fused.parameters(), plain.parameters(), strict=True):
        scale = max(float(other.grad.abs().max()), 1e-3)
        torch.testing.assert_close(one.grad / scale, other.grad / scale, atol=2e-3, rtol=0)
    assert all(isinstance(module, FusedADN) for module in copy.deepcopy(fused).modules() if isinstance(module, ADN))


@pytest.mark.parametrize(
    "options",
    [
        {"dropout": 0.5, "dropout_dim": 3},
        {"norm": ("instance", {"affine": True})},
        {"norm": ("instance", {"track_running_stats": True})},
        {"norm": "batch"},
        {"act": "relu"},
        {"act": ("prelu", {"num_parameters": 16, "init": 0.2})},
        {"ordering": "AN"},
    ],
    ids=str,
)
def test_other_blocks_stay_what_they_are(options):
    given = {"ordering": "NDA", "in_channels": 16, "act": "prelu", "norm": "instance", "norm_dim": 3} | options
    assert type(fused_for_training(ADN(**given))) is ADN

"""Which layer of a classifier holds its last feature maps: where Grad-CAM looks."""

from __future__ import annotations

import copy

import torch
from monai.networks.nets import DenseNet
from torch import nn

from pipeline.networks.classifiers.scattering import ScatteringClassifier
from pipeline.networks.ensemble import Ensemble
from transforms.errors import SettingError

_PROBE_SIDE = 64


def last_features(network: nn.Module, in_channels: int) -> str:
    """The name of the last convolution that runs over an input.

    A DenseNet's last convolution makes only the last few of the maps that it classifies from: there it is the
    activation of all of them. A scattering network's are its standardised maps. Of an ensemble it is the name in each
    of its networks, which are of one kind.

    Args:
        network: Takes `(B, in_channels, H, W)`.
        in_channels: Channels of the input.

    Raises:
        SettingError: When the network has no convolution.
    """
    if isinstance(network, Ensemble):
        return last_features(network.networks[0], in_channels)
    for name, module in network.named_modules():
        if isinstance(module, DenseNet):
            return f"{name}.class_layers.relu".lstrip(".")
        if isinstance(module, ScatteringClassifier):
            return f"{name}.standardise_maps".lstrip(".")
    probe = copy.deepcopy(network).to("meta").eval()
    names = {module: name for name, module in probe.named_modules() if isinstance(module, nn.Conv2d)}
    order: list[str] = []
    hooks = [module.register_forward_hook(lambda module, *_: order.append(names[module])) for module in names]
    with torch.no_grad():
        probe(torch.zeros((1, in_channels, _PROBE_SIDE, _PROBE_SIDE), device="meta"))
    for hook in hooks:
        hook.remove()
    if not order:
        raise SettingError("the network has no convolution whose features could be shown", where="gradcam")
    return order[-1]

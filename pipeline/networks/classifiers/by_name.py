"""Classifiers of 2D slices by name: MONAI's, torchvision's and ours, for any number of channels and classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from traceback import walk_tb
from typing import Any
from urllib.error import URLError

import torch
from monai.networks.nets import DenseNet121, DenseNet169, EfficientNetBN, ResNet, SEResNet50, resnet18, resnet50
from torch import nn

from pipeline.networks.classifiers.covid_net import CovidNet
from pipeline.networks.classifiers.fpn import FPNClassifier
from pipeline.networks.classifiers.scattering import ScatteringClassifier
from transforms.errors import MissingExtraError, NotFoundError, SettingError

Maker = Callable[..., nn.Module]


def classifier(
    name: str, in_channels: int, out_channels: int, *, dropout: float = 0.0, pretrained: bool = False
) -> nn.Module:
    """A classifier by its name.

    Args:
        name: One of :data:`CLASSIFIERS`.
        in_channels: Channels of the input.
        out_channels: Logits: one a class, or 1 for binary cross entropy.
        dropout: Share of the features that training drops before the last layer.
        pretrained: Starts from the weights on ImageNet that the library which owns the network publishes; it wants
            three channels.

    Returns:
        A network from `(B, in_channels, H, W)` to logits `(B, out_channels)`.

    Raises:
        SettingError: When the name is unknown, or there are no such weights.
        MissingExtraError: When the network is torchvision's and that is not installed.
        NotFoundError: When the weights can neither be found nor fetched.

    Example:
        >>> classifier("resnet18", 1, 2)(torch.zeros(1, 1, 64, 64)).shape
        torch.Size([1, 2])
    """
    if name not in CLASSIFIERS:
        raise SettingError(
            "there is no network of this name", where="architecture", found=name, expected=", ".join(CLASSIFIERS)
        )
    maker, has_weights = CLASSIFIERS[name]
    if pretrained and not has_weights:
        having = ", ".join(other for other, (_, weights) in CLASSIFIERS.items() if weights)
        raise SettingError("there are no published weights", where="pretrained", found=name, expected=having)
    if pretrained and in_channels != 3:
        raise SettingError(
            "the published weights want three channels", where="pretrained", found=in_channels,
            remedy="Set `copies: 3`, or `slices: 3`",
        )  # fmt: skip
    with _weights_at_hand(name):
        network = maker(in_channels, out_channels, pretrained)
    return _with_dropout(network, dropout) if dropout else network


def _densenet(kind: type[nn.Module], in_channels: int, out_channels: int, pretrained: bool) -> nn.Module:
    return kind(spatial_dims=2, in_channels=in_channels, out_channels=out_channels, pretrained=pretrained)


def _resnet(make: Callable[..., ResNet], in_channels: int, out_channels: int, pretrained: bool) -> nn.Module:
    return _plain_resnet(make, in_channels, out_channels)


def _plain_resnet(make: Callable[..., ResNet], in_channels: int, out_channels: int) -> ResNet:
    # The stem of He et al. 2016; MONAI's default keeps the full resolution, at four times the cost.
    return make(spatial_dims=2, n_input_channels=in_channels, num_classes=out_channels, conv1_t_stride=2)


def _fpn(make: Callable[..., ResNet], in_channels: int, out_channels: int, pretrained: bool) -> nn.Module:
    return FPNClassifier(_plain_resnet(make, in_channels, out_channels), out_channels)


def _seresnet(in_channels: int, out_channels: int, pretrained: bool) -> nn.Module:
    return SEResNet50(spatial_dims=2, in_channels=in_channels, num_classes=out_channels, pretrained=pretrained)


def _efficientnet(name: str, in_channels: int, out_channels: int, pretrained: bool) -> nn.Module:
    network = EfficientNetBN(name, pretrained, spatial_dims=2, in_channels=in_channels, num_classes=out_channels)
    network.set_swish(memory_efficient=False)  # the other one can neither be exported nor compiled
    return network


def _scattering(in_channels: int, out_channels: int, pretrained: bool) -> nn.Module:
    return ScatteringClassifier(in_channels, out_channels)


def _covid_net(in_channels: int, out_channels: int, pretrained: bool) -> nn.Module:
    return CovidNet(in_channels, out_channels)


def _vgg(in_channels: int, out_channels: int, pretrained: bool) -> nn.Module:
    if find_spec("torchvision") is None:
        raise MissingExtraError(
            "torchvision is not installed", where="architecture", found="vgg19_bn",
            remedy="Run `pip install torchvision`, or choose another network",
        )  # fmt: skip
    try:
        from torchvision.models import VGG19_BN_Weights, vgg19_bn
    except (ImportError, RuntimeError, OSError) as error:
        raise MissingExtraError(
            "torchvision cannot be used: it was built for another torch", where="architecture", found=str(error),
            expected=f"the one that goes with torch {torch.__version__}", remedy="Install both from one index, or "
            "choose another network",
        ) from error  # fmt: skip

    network: Any = vgg19_bn(weights=VGG19_BN_Weights.IMAGENET1K_V1 if pretrained else None)
    if in_channels != 3:
        network.features[0] = nn.Conv2d(in_channels, 64, kernel_size=3, padding=1)
    network.classifier[-1] = nn.Linear(4096, out_channels)
    made: nn.Module = network
    return made


CLASSIFIERS: dict[str, tuple[Maker, bool]] = {
    "densenet121": (partial(_densenet, DenseNet121), True),
    "densenet169": (partial(_densenet, DenseNet169), True),
    "resnet18": (partial(_resnet, resnet18), False),
    "resnet50": (partial(_resnet, resnet50), False),
    "resnet18_fpn": (partial(_fpn, resnet18), False),
    "resnet50_fpn": (partial(_fpn, resnet50), False),
    "seresnet50": (_seresnet, True),
    **{f"efficientnet-b{size}": (partial(_efficientnet, f"efficientnet-b{size}"), True) for size in range(5)},
    "covid_net": (_covid_net, False),
    "scattering": (_scattering, False),
    "vgg19_bn": (_vgg, True),
}
"""Name to what makes the network, and whether its library publishes weights on ImageNet for it."""


@contextmanager
def _weights_at_hand(name: str) -> Iterator[None]:
    try:
        yield
    except (URLError, OSError) as error:
        address = _address(error)
        file = Path(torch.hub.get_dir()) / "checkpoints" / (address or "").rpartition("/")[2]
        raise NotFoundError(
            "the published weights cannot be fetched", where=f"pretrained {name}", found=str(error).splitlines()[0],
            remedy=f"Fetch {address or 'the file'} on a machine with a network, and put it at {file}",
        ) from error  # fmt: skip


def _address(error: BaseException) -> str | None:
    """What was to be fetched: errors of the network do not say it, the functions that they went through know."""
    known = [frame.f_locals.get("url") for frame, _ in walk_tb(error.__traceback__)]
    return next((url for url in known if isinstance(url, str) and url.startswith("http")), None)


def _with_dropout(network: nn.Module, dropout: float) -> nn.Module:
    """Puts dropout before the last linear layer."""
    if not 0 <= dropout < 1:
        raise SettingError("the dropout is no share", where="dropout", found=dropout, expected="0 to below 1")
    name, linear = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear)][-1]
    parent: Any = network.get_submodule(name.rpartition(".")[0])
    setattr(parent, name.rpartition(".")[2], nn.Sequential(nn.Dropout(dropout), linear))
    return network

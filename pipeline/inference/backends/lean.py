"""A network rewritten for inference on processors: the same arithmetic in fewer passes over memory.

Convolutions stay what they are, but for who computes them (:mod:`pipeline.inference.backends.convolution`). What is
between them takes as long in U-Nets with few channels: so dropout goes, instance norm and PReLU become one group norm
and one activation in place, and the outermost level of MONAI's `UNet` is computed on the grid below it
(:mod:`pipeline.inference.backends.folding`).
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional

from pipeline.inference.backends.convolution import Convolved
from pipeline.inference.backends.folding import FoldedTop
from pipeline.networks.layers import VECTOR, norm_and_prelu

SMALL_MAP = 1024
"""Voxels below which torch's batch norm of a single part, then the same as instance norm, takes less time."""

_SIMPLE = (
    nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.PReLU,
    nn.ELU, nn.ReLU, nn.LeakyReLU, nn.MaxPool2d, nn.MaxPool3d, nn.Dropout, nn.Identity,
)  # fmt: skip
"""Layers that bear reduced precision."""


class NormalisedActivation(nn.Module):
    """Instance norm without parameters, then a leaky ReLU in place.

    Args:
        eps: Added to the variance.
        slope: Of negative values.
    """

    def __init__(self, eps: float, slope: float) -> None:
        super().__init__()
        self.eps = eps
        self.slope = slope

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features `(N, C, ...)` of the same shape."""
        channels = features.shape[1]
        if features.device.type == "cpu" and len(features) == 1 and 1 < features[0, 0].numel() < SMALL_MAP:
            normed = functional.batch_norm(features, None, None, training=True, eps=self.eps)
        elif channels % VECTOR:
            normed = functional.instance_norm(features, eps=self.eps)
        else:
            normed = functional.group_norm(features, channels, eps=self.eps)
        return functional.leaky_relu_(normed, self.slope)


def can_be_lean(network: nn.Module) -> bool:
    """Whether a network is in evaluation mode and all its layers are known to bear reduced precision."""
    leaves = [module for module in network.modules() if not list(module.children())]
    return not network.training and all(isinstance(leaf, _SIMPLE) for leaf in leaves)


def lean(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy of a network that says the same in fewer steps; the network itself is left alone.

    Args:
        network: See :func:`can_be_lean`.
        dtype: That it takes, computes in, and gives logits in.

    Returns:
        A network whose logits `(N, K, ...)` lie in memory with the channels last.
    """
    rewritten = _rewritten(copy.deepcopy(network).requires_grad_(False)).eval()
    flat = any(isinstance(module, nn.Conv2d) for module in rewritten.modules())
    # The stubs of Module.to know no memory format without a device.
    rewritten.to(dtype).to(memory_format=torch.channels_last if flat else torch.channels_last_3d)  # type: ignore[call-overload]
    return rewritten


def _rewritten(module: nn.Module) -> nn.Module:
    folded = FoldedTop.of(module)
    if folded is not None:
        return folded
    if isinstance(module, nn.Dropout):
        return nn.Identity()
    layers = norm_and_prelu(module, inferring=True)
    if layers is not None:
        norm, activation = layers
        return NormalisedActivation(norm.eps, float(activation.weight))
    if Convolved.fits(module):
        return Convolved(module)  # type: ignore[arg-type]
    for name, child in module.named_children():
        setattr(module, name, _rewritten(child))
    return module

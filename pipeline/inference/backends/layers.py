"""What layers of a network say the same as a simpler one would."""

from __future__ import annotations

from monai.networks.blocks import ADN
from torch import nn


def norm_and_slope(block: nn.Module) -> tuple[float, float] | None:
    """The eps of an instance norm without parameters and the slope of a PReLU with one, where a block is just these.

    Args:
        block: MONAI's block of norm, dropout and activation.

    Returns:
        `None` for every other block.
    """
    if not isinstance(block, ADN):
        return None
    layers = [layer for layer in block.children() if not isinstance(layer, nn.Dropout | nn.Identity)]
    if len(layers) != 2 or not isinstance(layers[0], nn.InstanceNorm2d | nn.InstanceNorm3d):
        return None
    norm: nn.InstanceNorm2d | nn.InstanceNorm3d = layers[0]
    activation = layers[1]
    if norm.affine or norm.track_running_stats:
        return None
    if not isinstance(activation, nn.PReLU) or activation.num_parameters != 1:
        return None
    return norm.eps, float(activation.weight.detach())

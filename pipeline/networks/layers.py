"""What blocks of a network are made of."""

from __future__ import annotations

from monai.networks.blocks import ADN
from torch import nn

VECTOR = 16
"""Channels from which on torch's norms work along the channels of channels-last tensors on processors."""


def norm_and_prelu(block: nn.Module, *, inferring: bool) -> tuple[nn.InstanceNorm3d, nn.PReLU] | None:
    """An instance norm without parameters and a PReLU with one, where a block is just these, in this order.

    Args:
        block: MONAI's block of norm, dropout and activation.
        inferring: Whether dropout does nothing; in training it does nothing where its probability is 0.

    Returns:
        The two, the norm in 2D or 3D; `None` for every other block.
    """
    if not isinstance(block, ADN):
        return None
    layers = [layer for layer in block.children() if not _does_nothing(layer, inferring)]
    if len(layers) != 2:
        return None
    norm, activation = layers
    if not isinstance(norm, nn.InstanceNorm2d | nn.InstanceNorm3d) or norm.affine or norm.track_running_stats:
        return None
    if not isinstance(activation, nn.PReLU) or activation.num_parameters != 1:
        return None
    return norm, activation  # type: ignore[return-value]


def _does_nothing(layer: nn.Module, inferring: bool) -> bool:
    if isinstance(layer, nn.Dropout | nn.Dropout2d | nn.Dropout3d):
        return inferring or layer.p == 0
    return isinstance(layer, nn.Identity)

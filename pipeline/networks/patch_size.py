"""Which patch sizes a network takes: by its strides where these say it, else found by asking it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from monai.networks.nets import UNet
from monai.networks.utils import eval_mode
from torch import nn
from torch.func import functional_call

from transforms.errors import SettingError

LARGEST_STEP = 64
"""Sizes are tried up to the next multiple of this; no U-Net in use divides by more."""


def check_patch_size(network: nn.Module, in_channels: int, patch_size: Sequence[int]) -> tuple[int, ...]:
    """Makes sure that a network takes patches of a size and gives them back at the same size.

    Of MONAI's `UNet` the strides tell it. Other networks, and sizes that the strides do not promise, are tried on a
    device without memory: that takes half a second, most of which goes into what PyTorch loads for it.

    Args:
        network: Any network of the right number of dimensions.
        in_channels: Channels of its input.
        patch_size: Voxels along each axis.

    Returns:
        The patch size as a tuple.

    Raises:
        SettingError: With the nearest size that works.
    """
    size = tuple(int(voxels) for voxels in patch_size)
    if any(voxels < 1 for voxels in size):
        raise SettingError("the patch size is not positive", where="patch_size", found=list(size))
    if _promises(network, in_channels, size) or _takes(network, in_channels, size):
        return size
    rest = [larger for larger in _candidates(size) if _takes(network, in_channels, larger)]
    remedy = f"The nearest larger size that works is {list(rest[0])}" if rest else "Check the network's dimensions"
    raise SettingError(
        "the network cannot take patches of this size", where="patch_size", found=list(size), remedy=remedy
    )


def _candidates(size: tuple[int, ...]) -> list[tuple[int, ...]]:
    steps = [2**power for power in range(1, LARGEST_STEP.bit_length())]
    return [tuple(-(-voxels // step) * step for voxels in size) for step in steps]


def _promises(network: nn.Module, in_channels: int, size: tuple[int, ...]) -> bool:
    """Whether a `UNet` of odd kernels halves the size without a rest down to more than one voxel."""
    if type(network) is not UNet or network.dimensions != len(size) or network.in_channels != in_channels:
        return False
    kernels = (network.kernel_size, network.up_kernel_size)
    if not all(isinstance(kernel, int) and kernel % 2 for kernel in kernels):
        return False
    if not all(isinstance(stride, int) for stride in network.strides):
        return False
    step = math.prod(network.strides)
    return all(voxels % step == 0 for voxels in size) and math.prod(size) > step ** len(size)


def _takes(network: nn.Module, in_channels: int, size: tuple[int, ...]) -> bool:
    # The network with other tensors in it, which have shapes alone: no copy of its weights.
    without_memory = {
        name: value.detach().to("meta") for name, value in (*network.named_parameters(), *network.named_buffers())
    }
    image = torch.zeros((1, in_channels, *size), device="meta")
    try:
        with eval_mode(network):
            logits = functional_call(network, without_memory, (image,))
    except (RuntimeError, ValueError, IndexError):
        return False
    return tuple(logits.shape[2:]) == size

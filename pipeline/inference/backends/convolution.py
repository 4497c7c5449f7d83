"""3D convolutions by oneDNN, also where torch would take its own.

For a single part in float32 torch leaves oneDNN aside where channels times the first two extents are 20480 or fewer
(`ConvParams::use_mkldnn` in ATen's `Convolution.cpp`): below full resolution, that is most layers of a U-Net. Its own
3D convolution copies each voxel's neighbourhood first and takes up to ten times as long.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

_ONCE = (1, 1, 1)


def convolve(
    features: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    *,
    padding: Sequence[int] = (0, 0, 0),
    stride: Sequence[int] = _ONCE,
    dilation: Sequence[int] = _ONCE,
    groups: int = 1,
) -> torch.Tensor:
    """`torch.nn.functional.conv3d`, by oneDNN in float32 on processors.

    Args:
        features: `(N, C, X, Y, Z)`.
        weight: `(K, C / groups, ...)`, the kernel.
        bias: `(K,)`.
        padding: Zeros at both ends of each axis.
        stride: Along each axis.
        dilation: Along each axis.
        groups: Of channels.
    """
    there = features.device.type == "cpu" and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    by = torch.mkldnn_convolution if there and features.dtype == torch.float32 else functional.conv3d
    convolved: torch.Tensor = by(
        features, weight, bias, padding=padding, stride=stride, dilation=dilation, groups=groups
    )
    return convolved


class Convolved(nn.Module):
    """What a convolution does, by :func:`convolve`.

    Args:
        layer: One that :meth:`fits`.
    """

    def __init__(self, layer: nn.Conv3d) -> None:
        super().__init__()
        self.layer = layer

    @staticmethod
    def fits(module: nn.Module) -> bool:
        """Whether a module is a 3D convolution that is padded with zeros, by so many."""
        return type(module) is nn.Conv3d and module.padding_mode == "zeros" and not isinstance(module.padding, str)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features `(N, C, X, Y, Z)` convolved."""
        one = self.layer
        return convolve(
            features,
            one.weight,
            one.bias,
            padding=one.padding,  # type: ignore[arg-type]  # numbers, see fits
            stride=one.stride,
            dilation=one.dilation,
            groups=one.groups,
        )

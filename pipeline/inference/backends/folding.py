"""The outermost level of MONAI's residual `UNet`, computed on the grid of the level below it.

There, a transposed convolution goes up to full resolution and another convolution follows, both with as many channels
as classes: too few for a processor's vectors. Folded, the voxels of a cell of the grid below stand side by side as
channels, 8 times as many on 1/8 of the places. Both convolutions then are dense ones of kernel 2; the zeros in them
cost less than what they make regular. The same products are summed, so the result is the same to rounding.

Along one axis, a transposed convolution of kernel 3 and stride 2 has output `2i + 0` from input `i`, and `2i + 1` from
inputs `i` and `i + 1`. The convolution of kernel 3 after it is computed for cells that are shifted by one voxel: their
outputs `2j - 1` and `2j` need no more than inputs `2j - 2` to `2j + 1`, cells `j - 1` and `j`.
"""

from __future__ import annotations

from itertools import product

import torch
from monai.networks.blocks import Convolution, ResidualUnit
from torch import nn
from torch.nn import functional

from pipeline.inference.backends.convolution import convolve
from pipeline.networks.layers import norm_and_prelu

_WIDE = {4: torch.int32, 8: torch.int64, 16: torch.complex128}
"""Types by their bytes: runs of memory are moved as one number where there is one of that width."""


class FoldedTop(nn.Module):
    """Up by a transposed convolution, instance norm, PReLU, and a convolution added to what it was given.

    Args:
        up: Kernel 3, stride 2, padding 1.
        eps: Of the instance norm.
        slope: Of the PReLU.
        last: Kernel 3, padding 1, as many channels out as in.
    """

    def __init__(self, up: nn.ConvTranspose3d, eps: float, slope: float, last: nn.Conv3d) -> None:
        super().__init__()
        self.classes = last.out_channels
        self.eps = eps
        self.slope = slope
        self.up_weight = nn.Parameter(_folded_up(up.weight), requires_grad=False)
        self.up_bias = nn.Parameter(_bias(up).repeat_interleave(8), requires_grad=False)
        self.last_weight = nn.Parameter(_folded_last(last.weight), requires_grad=False)
        self.last_bias = nn.Parameter(_bias(last).repeat(8), requires_grad=False)

    @classmethod
    def of(cls, module: nn.Module) -> FoldedTop | None:
        """The same as a module does, where it is the outermost level of a residual `UNet` in 3D; else `None`."""
        if not isinstance(module, nn.Sequential) or len(module) != 2:
            return None
        first, second = module
        if not isinstance(first, Convolution) or not isinstance(second, ResidualUnit):
            return None
        layers = norm_and_prelu(getattr(first, "adn", nn.Identity()), inferring=True)
        units = list(second.conv.children())
        if layers is None or len(units) != 1 or not isinstance(second.residual, nn.Identity):
            return None
        up, last = first.conv, units[0].conv
        if hasattr(units[0], "adn") or not isinstance(up, nn.ConvTranspose3d) or not isinstance(last, nn.Conv3d):
            return None
        if not _is_up(up) or not _is_last(last):
            return None
        norm, activation = layers
        return cls(up, norm.eps, float(activation.weight.detach()), last)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits `(N, classes, 2X, 2Y, 2Z)`, a view, of features `(N, C, X, Y, Z)`."""
        padded = functional.pad(features, (0, 1, 0, 1, 0, 1))
        cells = convolve(padded, self.up_weight, self.up_bias)
        cells = functional.group_norm(cells, self.classes, eps=self.eps)
        cells = functional.leaky_relu_(cells, self.slope)
        return _unfolded(convolve(cells, self.last_weight, self.last_bias, padding=(1, 1, 1)), self.classes)


def _is_up(layer: nn.ConvTranspose3d) -> bool:
    return (
        layer.kernel_size == (3, 3, 3)
        and layer.stride == (2, 2, 2)
        and layer.padding == layer.output_padding == layer.dilation == (1, 1, 1)
        and layer.groups == 1
    )


def _is_last(layer: nn.Conv3d) -> bool:
    return (
        layer.kernel_size == (3, 3, 3)
        and layer.stride == layer.padding == layer.dilation == (1, 1, 1)
        and layer.groups == 1
        and layer.in_channels == layer.out_channels
    )


def _bias(layer: nn.ConvTranspose3d | nn.Conv3d) -> torch.Tensor:
    return torch.zeros(layer.out_channels) if layer.bias is None else layer.bias.detach()


def _folded_up(weight: torch.Tensor) -> torch.Tensor:
    """`(C, K, 3, 3, 3)` of a transposed convolution to `(K * 8, C, 2, 2, 2)`; voxels of a cell run fastest."""
    taps = {(0, 0): 1, (1, 0): 2, (1, 1): 0}  # (voxel in its cell, input cell) to the place in the kernel
    folded = weight.new_zeros((weight.shape[1], 2, 2, 2, weight.shape[0], 2, 2, 2))
    for x, y, z in product(taps, repeat=3):
        source = weight[:, :, taps[x], taps[y], taps[z]].detach().T
        folded[:, x[0], y[0], z[0], :, x[1], y[1], z[1]] = source
    return folded.reshape(-1, weight.shape[0], 2, 2, 2)


def _folded_last(weight: torch.Tensor) -> torch.Tensor:
    """`(K, K, 3, 3, 3)` to `(8 * K, K * 8, 2, 2, 2)`, what it is given added; classes run fastest in the output."""
    classes = weight.shape[0]
    added = weight.detach().clone()
    added[range(classes), range(classes), 1, 1, 1] += 1
    # (voxel of the shifted output cell, input cell, voxel in it) to the place in the kernel
    taps = {(out, cell, voxel): 2 * cell + voxel - out for out, cell, voxel in product(range(2), repeat=3)}
    taps = {place: tap for place, tap in taps.items() if 0 <= tap <= 2}
    folded = weight.new_zeros((2, 2, 2, classes, classes, 2, 2, 2, 2, 2, 2))
    for x, y, z in product(taps, repeat=3):
        source = added[:, :, taps[x], taps[y], taps[z]]
        folded[x[0], y[0], z[0], :, :, x[2], y[2], z[2], x[1], y[1], z[1]] = source
    return folded.reshape(8 * classes, 8 * classes, 2, 2, 2)


def _unfolded(cells: torch.Tensor, classes: int) -> torch.Tensor:
    """`(N, 8 * K, X, Y, Z)` of shifted cells to the voxels in them, `(N, K, 2X - 2, 2Y - 2, 2Z - 2)`."""
    last = cells.permute(0, 2, 3, 4, 1).contiguous()
    n, x, y, z, _ = last.shape
    wide = _WIDE.get(2 * classes * last.element_size())
    runs = last if wide is None else last.view(wide)
    voxels = runs.view(n, x, y, z, 2, 2, -1).permute(0, 1, 4, 2, 5, 3, 6).reshape(n, 2 * x, 2 * y, -1)
    if wide is not None:
        voxels = voxels.view(last.dtype)
    return voxels.view(n, 2 * x, 2 * y, 2 * z, classes)[:, 1:-1, 1:-1, 1:-1].permute(0, 4, 1, 2, 3)

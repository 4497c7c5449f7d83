"""The two-dimensional U-Net with ELU and dropout that entered the 2018 Data Science Bowl as a public baseline."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class UNetELU(nn.Module):
    """A U-Net of double 3×3 convolutions with ELU, dropout between them, and 2×2 transposed convolutions upwards.

    After Ronneberger et al. 2015, in the small form that was widely used in the 2018 Data Science Bowl: 16 to 256
    filters, ELU in place of batch normalisation, dropout that grows with depth, He initialisation. With three input
    channels and one output it has 1,941,105 parameters. It returns logits.

    Args:
        in_channels: Channels of the input: HU windows × slices of the slab.
        out_channels: Classes, or 1 for one sigmoid output.
        channels: Filters at each depth.
        dropout: Drop probability at each depth, down to the bottom; the way up mirrors it.

    Example:
        >>> network = UNetELU(in_channels=3, out_channels=1)
        >>> sum(parameter.numel() for parameter in network.parameters())
        1941105
        >>> network(torch.zeros(1, 3, 64, 48)).shape
        torch.Size([1, 1, 64, 48])
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        channels: Sequence[int] = (16, 32, 64, 128, 256),
        dropout: Sequence[float] = (0.1, 0.1, 0.2, 0.2, 0.3),
    ) -> None:
        super().__init__()
        widths = [in_channels, *channels]
        self.down = nn.ModuleList(
            _double_convolution(before, after, drop)
            for before, after, drop in zip(widths[:-1], widths[1:], dropout, strict=True)
        )
        upwards = range(len(channels) - 2, -1, -1)
        self.rise = nn.ModuleList(
            nn.ConvTranspose2d(channels[depth + 1], channels[depth], kernel_size=2, stride=2) for depth in upwards
        )
        self.up = nn.ModuleList(
            _double_convolution(2 * channels[depth], channels[depth], dropout[depth]) for depth in upwards
        )
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Conv2d(channels[0], out_channels, kernel_size=1)
        self.apply(_initialise)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits `(B, out_channels, H, W)` of images `(B, in_channels, H, W)`; H and W are multiples of 16."""
        skips: list[torch.Tensor] = []
        features = image
        for depth, block in enumerate(self.down):
            features = block(features if depth == 0 else self.pool(features))
            skips.append(features)
        skips.pop()
        for rise, block in zip(self.rise, self.up, strict=True):
            features = block(torch.cat([rise(features), skips.pop()], dim=1))
        logits: torch.Tensor = self.head(features)
        return logits


def _double_convolution(before: int, after: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel_size=3, padding=1),
        nn.ELU(inplace=True),
        nn.Dropout(dropout),
        nn.Conv2d(after, after, kernel_size=3, padding=1),
        nn.ELU(inplace=True),
    )


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)

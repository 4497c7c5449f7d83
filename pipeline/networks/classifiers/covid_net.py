"""A small network of light residual blocks with long-range connections, after COVID-Net (Wang et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

STEM_CHANNELS = 32
BLOCKS = (3, 4, 6, 3)
"""Blocks of each stage, as published."""

WIDTHS = (64, 128, 192, 256)
"""Channels of each stage; the published network has 256 to 2048 and a hundred million weights."""


class ProjectionExpansion(nn.Module):
    """Projection, expansion, a filter for each channel, projection, extension: four 1 × 1 convolutions around a 3 × 3.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        narrow, wide = out_channels // 4, out_channels // 2
        self.project = nn.Conv2d(in_channels, narrow, 1)
        self.expand = _normalised(nn.Conv2d(narrow, wide, 1, bias=False))
        self.filter = _normalised(nn.Conv2d(wide, wide, 3, padding=1, groups=wide, bias=False))
        self.project_again = nn.Conv2d(wide, narrow, 1)
        self.extend = _normalised(nn.Conv2d(narrow, out_channels, 1, bias=False))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """`(B, out_channels, H, W)` of `(B, in_channels, H, W)`."""
        found: torch.Tensor = self.extend(self.project_again(self.filter(self.expand(self.project(features)))))
        return found


class Stage(nn.Module):
    """Blocks of which each sees the outputs of all before it, and what came into the stage.

    The sides are halved on the way in; a 1 × 1 convolution carries what came in past the blocks.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        blocks: How many.
    """

    def __init__(self, in_channels: int, out_channels: int, blocks: int) -> None:
        super().__init__()
        self.halve = nn.MaxPool2d(2)
        self.past = nn.Conv2d(in_channels, out_channels, 1)
        self.blocks = nn.ModuleList(
            ProjectionExpansion(out_channels if number else in_channels, out_channels) for number in range(blocks)
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """`(B, out_channels, H / 2, W / 2)` of `(B, in_channels, H, W)`."""
        features = self.halve(features)
        total: torch.Tensor = self.past(features)
        for number, block in enumerate(self.blocks):
            total = total + block(total if number else features)
        return total


class CovidNet(nn.Module):
    """Classifies radiographs, or slices.

    Args:
        in_channels: Channels of the input.
        out_channels: Logits.
        widths: Channels of each stage.
        blocks: Blocks of each stage.
    """

    def __init__(
        self, in_channels: int, out_channels: int, widths: Sequence[int] = WIDTHS, blocks: Sequence[int] = BLOCKS
    ) -> None:
        super().__init__()
        stem = nn.Conv2d(in_channels, STEM_CHANNELS, 7, stride=2, padding=3, bias=False)
        before = (STEM_CHANNELS, *widths[:-1])
        stages = [Stage(*numbers) for numbers in zip(before, widths, blocks, strict=True)]
        self.features = nn.Sequential(_normalised(stem), *stages)
        # One more convolution, over all that the last stage has added up: what a map of its attention shows.
        self.gather = _normalised(nn.Conv2d(widths[-1], widths[-1], 1, bias=False))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(widths[-1], out_channels)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits `(B, out_channels)` of images `(B, C, H, W)`."""
        logits: torch.Tensor = self.head(self.pool(self.gather(self.features(image))).flatten(1))
        return logits


def _normalised(convolution: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU(inplace=True))

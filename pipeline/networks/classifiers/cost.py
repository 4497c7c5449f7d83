"""How many parameters a network has and what one input costs."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

logger = logging.getLogger(__name__)


class NetworkCost(NamedTuple):
    """What a network costs."""

    parameters: int
    flops: int
    """Floating-point operations of one forward pass of one input; a multiplication and an addition are two."""

    def __str__(self) -> str:
        return f"{self.parameters / 1e6:.2f} million parameters, {self.flops / 1e9:.2f} GFLOP an input"


def network_cost(network: nn.Module, in_channels: int, image_size: Sequence[int]) -> NetworkCost:
    """Counts parameters and operations, on a device without memory.

    Args:
        network: Takes `(B, in_channels, H, W)`.
        in_channels: Channels of the input.
        image_size: Rows and columns.
    """
    probe = copy.deepcopy(network).to("meta").eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        probe(torch.zeros((1, in_channels, *image_size), device="meta"))
    return NetworkCost(sum(parameter.numel() for parameter in network.parameters()), counter.get_total_flops())


def report_cost(network: nn.Module, in_channels: int, image_size: Sequence[int], name: str = "network") -> None:
    """Logs what a network costs."""
    logger.info("%s: %s of %s", name, network_cost(network, in_channels, image_size), " × ".join(map(str, image_size)))

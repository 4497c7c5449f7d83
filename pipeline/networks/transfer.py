"""Weights of one task as the beginning of another."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TypeVar

from torch import nn

from pipeline.networks.weights import read_state_dict
from transforms.errors import SettingError

logger = logging.getLogger(__name__)

Network = TypeVar("Network", bound=nn.Module)

LEAST = 0.5
"""Share of a network's numbers that must fit: below it, the weights are those of another architecture."""


def transfer_weights(network: Network, path: str | Path) -> Network:
    """Puts those weights of a file into a network that fit it by name and shape; says which do not.

    A network with other classes takes all but its last layer, which stays as it was drawn.

    Args:
        network: Takes the weights, in place.
        path: A state dict, saved by `torch.save`; loaded with `weights_only=True`.

    Returns:
        The same network.

    Raises:
        NotFoundError: When there is no such file.
        UnreadableError: When it is no state dict.
        SettingError: When less than half of the network's numbers fit.
    """
    state, own = read_state_dict(path), network.state_dict()
    fitting = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
    rest = {name: value for name, value in own.items() if name not in fitting}
    total = sum(value.numel() for value in own.values())
    share = 1 - sum(value.numel() for value in rest.values()) / max(1, total)
    if share < LEAST:
        raise SettingError(
            "the weights belong to another network",
            where=path,
            found=f"{100 * share:.0f} % of the network's weights fit",
            remedy="Use the overlay that they were trained with, or leave fine_tune.yaml out",
        )
    network.load_state_dict(fitting, strict=False)
    logger.info("%d of %d tensors are those of %s", len(fitting), len(own), Path(path).name)
    for name, value in rest.items():
        found = tuple(state[name].shape) if name in state else "nothing"
        logger.warning("%s %s starts afresh: the file has %s", name, tuple(value.shape), found)
    return network

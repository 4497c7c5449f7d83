"""The network of a bundle, without storage."""

from __future__ import annotations

from pathlib import Path

import torch
from monai.bundle import ConfigParser
from torch import nn


def network_of(bundle: Path, classes: int) -> nn.Module:
    """The network that a bundle trains, on the `meta` device, with one channel in.

    Args:
        bundle: Its folder.
        classes: How many classes it tells apart.
    """
    config = ConfigParser.load_config_file(str(bundle / "configs" / "train.yaml"))
    parser = ConfigParser({"network_def": config["network_def"], "in_channels": 1, "out_channels": classes})
    with torch.device("meta"):
        network: nn.Module = parser.get_parsed_content("network_def")
    return network.eval()

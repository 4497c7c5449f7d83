"""The network as it is, under autocast."""

from __future__ import annotations

import torch
from torch import nn

from pipeline.inference.backends.protocol import Compiled, Target


class AsItIs:
    """Runs a module, or whatever can be called, unchanged."""

    concurrent = False

    def why_not(self, network: nn.Module, target: Target) -> str | None:
        """Always `None`."""
        return None

    def compile(self, network: Compiled, target: Target) -> Compiled:
        """The network itself; in half precision under autocast, its parameters stay float32."""
        if target.dtype == torch.float32:
            return network

        def run(parts: torch.Tensor) -> torch.Tensor:
            with torch.autocast(target.device.type, dtype=target.dtype):
                logits: torch.Tensor = network(parts)
            return logits

        return run

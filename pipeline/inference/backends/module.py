"""The network as it is, under autocast."""

from __future__ import annotations

import torch
from torch import nn

from pipeline.inference.backends.protocol import Compiled, Target
from pipeline.inference.precision import as_precise_as


class AsItIs:
    """Runs a module, or whatever can be called, unchanged."""

    concurrent = False

    def why_not(self, network: nn.Module, target: Target) -> str | None:
        """Always `None`."""
        return None

    def compile(self, network: Compiled, target: Target) -> Compiled:
        """The network itself; in half precision under autocast, its parameters stay float32."""
        if target.dtype == torch.float32 and target.device.type == "cpu":
            return network

        def run(parts: torch.Tensor) -> torch.Tensor:
            half = target.dtype != torch.float32
            with as_precise_as(target.dtype), torch.autocast(target.device.type, target.dtype, enabled=half):
                logits: torch.Tensor = network(parts)
            return logits

        return run

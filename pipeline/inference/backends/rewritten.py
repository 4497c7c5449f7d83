"""The network rewritten in torch for processors."""

from __future__ import annotations

from torch import nn

from pipeline.inference.backends.lean import can_be_lean, lean
from pipeline.inference.backends.protocol import Compiled, Target


class Rewritten:
    """Runs :func:`pipeline.inference.backends.lean.lean` copies, a part a thread."""

    concurrent = True

    def why_not(self, network: nn.Module, target: Target) -> str | None:
        """Says so on other devices than processors, and for networks with unknown layers."""
        if target.device.type != "cpu":
            return f"it is for processors, not for {target.device.type}"
        if not can_be_lean(network):
            return "the network has layers that it does not know, or is not in evaluation mode"
        return None

    def compile(self, network: nn.Module, target: Target) -> Compiled:
        """A copy in the target's number format."""
        fast = lean(network, target.dtype)
        return lambda parts: fast(parts.to(target.dtype))

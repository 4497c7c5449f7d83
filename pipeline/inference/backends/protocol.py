"""What a backend is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

Compiled = Callable[[torch.Tensor], torch.Tensor]
"""Takes parts `(N, C, ...)` on the target's device, gives logits `(N, K, ...)` of any float type there."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a network is made ready for.

    Attributes:
        device: Where it runs.
        dtype: What it computes in.
        part_shape: Of one part that it is given, `(C, ...)`.
    """

    device: torch.device
    dtype: torch.dtype
    part_shape: tuple[int, ...]


class Backend(Protocol):
    """One way to compute a network."""

    @property
    def concurrent(self) -> bool:
        """Whether several threads may call the compiled network, each of which computes on one processor."""
        ...

    def why_not(self, network: nn.Module, target: Target) -> str | None:
        """Why this backend cannot compute a network here, as part of a sentence; `None` when it can."""
        ...

    def compile(self, network: nn.Module, target: Target) -> Compiled:
        """Makes a network ready; what it later does to the network's parameters does not matter to the result."""
        ...

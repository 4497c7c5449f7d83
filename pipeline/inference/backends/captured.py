"""The network rewritten in torch for NVIDIA GPUs, and replayed as one CUDA graph."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import nn

from pipeline.inference.backends.lean import can_be_lean, lean
from pipeline.inference.backends.protocol import Compiled, Target
from pipeline.inference.precision import as_precise_as

logger = logging.getLogger(__name__)

Replay = Callable[[], torch.Tensor]
"""Computes the parts that lie in the memory it was made for; the logits lie in the same memory each time."""

Capture = Callable[[Compiled, torch.Tensor], Replay]


class Captured:
    """Runs :func:`pipeline.inference.backends.lean.lean` copies on CUDA.

    A U-Net with few channels has about 200 kernels a batch that take a few microseconds each: less than it takes to
    launch them one by one from Python. A graph launches them all at once.
    """

    concurrent = False

    def why_not(self, network: nn.Module, target: Target) -> str | None:
        """Says so on other devices than CUDA, and for networks with unknown layers."""
        if target.device.type != "cuda":
            return f"it is for NVIDIA GPUs, not for {target.device.type}"
        if not can_be_lean(network):
            return "the network has layers that it does not know, or is not in evaluation mode"
        return None

    def compile(self, network: nn.Module, target: Target) -> Compiled:
        """A copy in the target's number format, whose graph is made at the first batch."""
        fast = lean(network, target.dtype).to(target.device)

        def run(parts: torch.Tensor) -> torch.Tensor:
            with torch.cuda.device(target.device), as_precise_as(target.dtype):
                return replayed(parts.to(target.dtype))

        replayed = Replayed(fast, cuda_graph)
        return run


class Replayed:
    """A network whose largest batch so far is replayed from a graph; a part of that is idle for smaller ones.

    Less than half of it is left to the network itself, layer by layer: that takes as long as launching does.

    Args:
        network: Computes what is captured, and everything where capturing fails.
        capture: Makes a graph of the network for a batch.
    """

    def __init__(self, network: Compiled, capture: Capture) -> None:
        self._network = network
        self._capture: Capture | None = capture
        self._parts: torch.Tensor | None = None
        self._replay: Replay | None = None

    @torch.inference_mode()
    def __call__(self, parts: torch.Tensor) -> torch.Tensor:
        """Logits `(N, K, ...)` of parts `(N, C, ...)`, in memory of their own."""
        if self._parts is None or len(parts) > len(self._parts):
            self._captured(parts)
        if self._replay is None or self._parts is None or 2 * len(parts) < len(self._parts):
            return self._network(parts)
        self._parts[: len(parts)].copy_(parts)
        return self._replay()[: len(parts)].clone()

    def _captured(self, parts: torch.Tensor) -> None:
        if self._capture is None:
            return
        self._parts = self._replay = None  # the memory of the last graph is there for the next
        own = parts.clone()
        try:
            self._replay = self._capture(self._network, own)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            logger.warning("CUDA cannot capture the network: it runs layer by layer (%s)", str(error).splitlines()[0])
            self._capture = None
            return
        self._parts = own


def cuda_graph(network: Compiled, parts: torch.Tensor) -> Replay:
    """A CUDA graph of a network for parts that lie where they are.

    Args:
        network: Does the same at each call.
        parts: On a CUDA device, the current one.
    """
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        network(parts)  # libraries choose their algorithms and make their workspaces at the first call
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    # Other threads may be at work on the case before.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        logits = network(parts)

    def replay() -> torch.Tensor:
        graph.replay()
        return logits

    return replay

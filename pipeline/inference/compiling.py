"""Networks made ready by a backend, kept as long as the network and its weights stay the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from pipeline.inference.backends import Backend, BackendName, Compiled, Target, choose
from pipeline.inference.backends.module import AsItIs

_State = tuple[tuple[int, int], ...]


class CompiledNetworks:
    """Remembers for each network what a backend made of it last."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[nn.Module, tuple[Target, _State, tuple[Backend, Compiled]]] = WeakKeyDictionary()

    def __call__(
        self,
        name: BackendName,
        network: Callable[..., torch.Tensor],
        device: torch.device,
        dtype: torch.dtype,
        part_shape: tuple[int, ...],
    ) -> tuple[Backend, Compiled]:
        """The backend that computes a network, and the network made ready by it.

        Args:
            name: Of the backend wanted.
            network: A module, or anything that can be called.
            device: Where it runs.
            dtype: What it computes in.
            part_shape: Of one part, `(C, ...)`.
        """
        target = Target(device=device, dtype=dtype, part_shape=part_shape)
        backend = choose(name, network, target)
        if not isinstance(network, nn.Module) or isinstance(backend, AsItIs):
            # Never gets old; and what is kept must not hold on to the network.
            return backend, AsItIs().compile(network, target)
        state = _state(network)
        known = self._known.get(network)
        if known is None or known[:2] != (target, state):
            known = self._known[network] = (target, state, (backend, backend.compile(network, target)))
        return known[2]

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledNetworks:
        return CompiledNetworks()


def _state(network: nn.Module) -> _State:
    """Changes whenever a weight does: torch counts what is written in place."""
    values = [*network.parameters(), *network.buffers()]
    return tuple((value.data_ptr(), 0 if value.is_inference() else value._version) for value in values)

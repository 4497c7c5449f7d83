"""What all ways of bringing a whole volume through a network share."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import torch
from monai.data.meta_tensor import MetaTensor
from monai.inferers import Inferer
from torch import nn

from pipeline.inference.backends import BackendName, check_backend
from pipeline.inference.compiling import CompiledNetworks
from pipeline.inference.mirroring import averaged, check_views, mirrored
from pipeline.inference.precision import Precision, check_precision, resolve
from pipeline.inference.running import in_batches, in_threads

logger = logging.getLogger(__name__)

Network = Callable[..., torch.Tensor]


class Runner(Protocol):
    """A network as the ways of taking a volume apart see it."""

    def __call__(self, parts: Iterable[torch.Tensor], total: int, *, before: int = 0) -> Iterator[torch.Tensor]:
        """Logits `(K, ...)` of parts, in order.

        Args:
            parts: Each `(C, ...)`, all of one shape.
            total: How many there are of the volume, for the progress bar.
            before: How many of them have been through.
        """


Progress = Callable[[int, int], None]


class VolumeInferer(Inferer):
    """One interface for 3D and 2.5D: volumes in, logits on the same grid out, a few parts at a time.

    Where the network runs on another device, the volume is brought there once, and the logits stay there. When that is
    more than its memory holds, fewer parts go through at a time, and then the logits come back to the volume; a warning
    says so.

    Args:
        batch_size: Parts (patches, slabs) that go through the network at a time.
        precision: Number format of the network (:data:`pipeline.inference.Precision`).
        device: Where the network runs; by default where the input is.
        padding_value: Of voxels outside the volume: 0 is air after scaling to 0..1.
        backend: What computes the network (:data:`pipeline.inference.backends.BackendName`).
        flips: Test-time augmentation: for each entry parts go through the network mirrored along these axes (0 is x),
            and the logits are averaged; `[[]]` is none. It takes as many times longer as there are entries.
        progress: Called with the number of parts done and the total, each as often as it is mirrored.

    Attributes:
        mirrored_axes: How many axes parts can be mirrored along.

    Raises:
        SettingError: When the precision or the backend is unknown, or parts cannot be mirrored so.
    """

    mirrored_axes = 3

    def __init__(
        self,
        *,
        batch_size: int,
        precision: Precision,
        device: torch.device | str | None,
        padding_value: float,
        backend: BackendName,
        flips: Sequence[Sequence[int]],
        progress: Progress | None,
    ) -> None:
        super().__init__()
        self.batch_size = batch_size
        self._batch_size = batch_size  # of this volume: less where there is no room for more
        self.precision = check_precision(precision)
        self.device = None if device is None else torch.device(device)
        self.padding_value = padding_value
        self.backend = check_backend(backend)
        self.views = check_views(flips, self.mirrored_axes)
        self.progress = progress
        self._compiled = CompiledNetworks()

    def __call__(self, inputs: torch.Tensor, network: Network, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Logits of volumes.

        Args:
            inputs: `(B, C, X, Y, Z)`, a `MetaTensor` or a tensor.
            network: Takes the parts that the inferer makes.
            args: Passed to the network, which then is computed as it is.
            kwargs: Passed to the network, which then is computed as it is.

        Returns:
            `(B, K, X, Y, Z)` with the input's meta, where the network runs.
        """
        if args or kwargs:
            network = partial(_called, network, args, kwargs)
        with torch.no_grad():
            volumes = [self._one(inputs[index], network) for index in range(len(inputs))]
        logits = volumes[0][None] if len(volumes) == 1 else torch.stack(volumes)
        return MetaTensor(logits, meta=inputs.meta) if isinstance(inputs, MetaTensor) else logits

    def warm_up(self, network: nn.Module) -> None:
        """Makes the network ready on a GPU: libraries are loaded, kernels chosen and a graph captured.

        All that takes longer than a case does there, and can be done while the first one is still being read. Where
        the network does not run on a GPU, or the size of parts follows from the case, nothing is done.

        Args:
            network: What the volumes will go through.
        """
        device = _numbered(self.device or next(network.parameters()).device)
        shape = self._part_shape(network)
        if device.type == "cuda" and shape is not None:
            parts = torch.zeros(shape, device=device).expand(self.batch_size, *shape)
            with torch.no_grad():
                deque(self._views_through(network, device, device, iter(parts)), maxlen=0)

    def _part_shape(self, network: nn.Module) -> tuple[int, ...] | None:
        """Of a part `(C, ...)`, where it is the same for all volumes."""
        return None

    @abstractmethod
    def _logits(self, volume: torch.Tensor, run: Runner, gather: torch.device) -> torch.Tensor:
        """Logits `(K, X, Y, Z)` on a device of one volume `(C, X, Y, Z)`, which may be a `MetaTensor`, elsewhere."""

    def _one(self, volume: torch.Tensor, network: Network) -> torch.Tensor:
        device = _numbered(volume.device if self.device is None else self.device)
        self._batch_size = self.batch_size
        if device != volume.device:
            try:
                return _finished(self._logits(volume, partial(self._run, network, device, device), device))
            except torch.OutOfMemoryError:
                logger.warning("out of memory on %s: the logits are gathered on %s instead", device, volume.device)
            self._batch_size = self.batch_size
            if device.type == "cuda":  # here, where the error no longer holds what was computed
                torch.cuda.empty_cache()
        return _finished(self._logits(volume, partial(self._run, network, device, volume.device), volume.device))

    def _run(
        self,
        network: Network,
        device: torch.device,
        gather: torch.device,
        parts: Iterable[torch.Tensor],
        total: int,
        *,
        before: int = 0,
    ) -> Iterator[torch.Tensor]:
        """Parts through the network, in all views; tells how far it is."""
        views = self._views_through(network, device, gather, mirrored(parts, self.views))
        count = len(self.views)
        yield from averaged(self._told(views, total * count, before * count), self.views)

    def _told(self, views: Iterator[torch.Tensor], total: int, before: int) -> Iterator[torch.Tensor]:
        for done, view in enumerate(views, start=before + 1):
            if self.progress is not None:
                self.progress(done, total)
            yield view

    def _views_through(
        self, network: Network, device: torch.device, gather: torch.device, parts: Iterator[torch.Tensor]
    ) -> Iterator[torch.Tensor]:
        waiting = iter(parts)
        first = next(waiting, None)
        if first is None:
            return
        backend, run = self._compiled(
            self.backend, network, device, resolve(self.precision, device), tuple(first.shape)
        )
        chain = _chained(first, waiting)
        if backend.concurrent:
            yield from in_threads(run, chain, torch.get_num_threads())
        else:
            yield from in_batches(run, chain, self._batch_size, device, gather, partial(setattr, self, "_batch_size"))


def _numbered(device: torch.device) -> torch.device:
    """A device as tensors name it: `cuda` is `cuda:0` there, or whichever is current."""
    return torch.empty(0, device=device).device if device.type == "cuda" and device.index is None else device


def _finished(logits: torch.Tensor) -> torch.Tensor:
    """Logits, once they are there: what follows needs them, and what it takes shall not count as theirs."""
    if logits.device.type == "cuda":
        torch.cuda.current_stream(logits.device).synchronize()
    return logits


def _chained(first: torch.Tensor, rest: Iterator[torch.Tensor]) -> Iterator[torch.Tensor]:
    yield first
    yield from rest


def _called(network: Network, args: tuple[Any, ...], kwargs: dict[str, Any], parts: torch.Tensor) -> torch.Tensor:
    return network(parts, *args, **kwargs)

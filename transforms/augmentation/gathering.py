"""Trilinear and nearest sampling of volumes on the CPU, by gathering voxels by their place in memory.

PyTorch's `grid_sample` visits the voxels of a 3D patch one after the other and tests each of eight corners against the
edges of the volume. Here whole blocks are gathered corner by corner and blended by vector instructions, the edges are
a rim of padding, label maps stay integers, and all volumes share the work on the positions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from transforms.augmentation.positions import Positions

ROUNDING = 0.01
"""Voxels by which positions in float32 may leave their bounds."""


def gather(
    volumes: Sequence[torch.Tensor], positions: Positions, nearest: Sequence[bool], outside: Sequence[float]
) -> list[torch.Tensor]:
    """Samples volumes on one grid, see :func:`transforms.augmentation.sampling.sample_patches`.

    Copies a volume only where the patch sticks out of it, and of it only the box that the patch needs.
    """
    box = _Box.of(positions, volumes[0].shape[1:])
    patches = [
        torch.empty((len(volume), *positions.patch_size), dtype=_result_type(volume.dtype, whole))
        for volume, whole in zip(volumes, nearest, strict=True)
    ]
    if box.is_empty:
        return [patch.fill_(value) for patch, value in zip(patches, outside, strict=True)]
    sources = [_Source.of(box.cut(volume, value)) for volume, value in zip(volumes, outside, strict=True)]
    with _one_thread():
        for planes, places in positions.blocks(box.origin):
            block = _Block(box.clamped(places))
            for source, patch, whole in zip(sources, patches, nearest, strict=True):
                for channel, sampled in enumerate(block.nearest(source) if whole else block.linear(source)):
                    patch[channel, planes] = sampled
    return patches


@contextmanager
def _one_thread() -> Iterator[None]:
    """Threads gain little on blocks this small, and waiting for each other on a busy one costs 100 times as much."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _result_type(dtype: torch.dtype, nearest: bool) -> torch.dtype:
    return dtype if nearest or dtype.is_floating_point else torch.float32


@dataclass(frozen=True, kw_only=True, eq=False)
class _Box:
    """The voxels of a volume that a patch needs: from `start` up to and without `stop`, cut off at its edges."""

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    inside: bool

    @classmethod
    def of(cls, positions: Positions, shape: Sequence[int]) -> _Box:
        start = np.floor(positions.low - ROUNDING).astype(np.int64)
        stop = np.floor(positions.high + ROUNDING).astype(np.int64) + 2
        inside = bool((start >= 0).all() and (stop <= np.asarray(shape)).all())
        return cls(start=start.clip(0, shape), stop=stop.clip(0, shape), inside=inside)

    @property
    def is_empty(self) -> bool:
        return bool((self.start >= self.stop).any())

    @property
    def origin(self) -> NDArray[np.float64]:
        """The voxel that is the first of what :meth:`cut` returns."""
        return np.zeros(3) if self.inside else self.start.astype(np.float64) - 1

    def cut(self, volume: torch.Tensor, outside: float) -> torch.Tensor:
        """The volume itself, or a copy of the box with a rim of what stands outside.

        The rim is one voxel at the lower and two at the upper ends: a corner that is clamped into it has its upper
        neighbour there too.
        """
        if self.inside:
            return volume
        inner = volume[(slice(None), *(slice(a, b) for a, b in zip(self.start, self.stop, strict=True)))]
        return functional.pad(inner, (1, 2) * 3, value=outside)

    def clamped(self, places: torch.Tensor) -> torch.Tensor:
        """Positions `(planes, 3, J, K)` brought onto the rim where they lie beyond it."""
        if not self.inside:
            for axis, size in enumerate(self.stop - self.start):
                places[:, axis].clamp_(0, int(size) + 1)
        return places


@dataclass(frozen=True, kw_only=True, eq=False)
class _Source:
    """A volume as flat memory: `strides` are the steps of each spatial axis."""

    channels: list[torch.Tensor]
    strides: tuple[int, int, int]

    @classmethod
    def of(cls, volume: torch.Tensor) -> _Source:
        strides = volume.stride()[1:]
        span = 1 + sum((size - 1) * step for size, step in zip(volume.shape[1:], strides, strict=True))
        channels = [channel.as_strided((span,), (1,)) for channel in volume]
        return cls(channels=channels, strides=(strides[0], strides[1], strides[2]))

    @cached_property
    def index_type(self) -> torch.dtype:
        return torch.int32 if len(self.channels[0]) < 2**31 else torch.int64


class _Block:
    """Samples volumes at positions `(planes, 3, J, K)` that lie inside of them, none below 0."""

    def __init__(self, places: torch.Tensor) -> None:
        self.places = places
        self.shape = (len(places), *places.shape[2:])

    @cached_property
    def weights(self) -> tuple[torch.Tensor, ...]:
        """Share of the upper corner along each axis."""
        return self.places.frac().unbind(1)

    def nearest(self, source: _Source) -> Iterator[torch.Tensor]:
        """Each channel in turn, `(planes, J, K)`."""
        index = _flat_index(self.places + 0.5, source)
        for voxels in source.channels:
            yield torch.index_select(voxels, 0, index).view(self.shape)

    def linear(self, source: _Source) -> Iterator[torch.Tensor]:
        """Each channel in turn, `(planes, J, K)` float32."""
        index = _flat_index(self.places, source)
        for voxels in source.channels:
            yield self._blended(voxels, index, source.strides)

    def _blended(self, voxels: torch.Tensor, index: torch.Tensor, strides: tuple[int, int, int]) -> torch.Tensor:
        along_x, along_y, along_z = self.weights
        step_x, step_y, step_z = strides

        def corner(offset: int) -> torch.Tensor:
            return torch.index_select(voxels[offset:], 0, index).view(self.shape).float()

        def edge(offset: int) -> torch.Tensor:
            return corner(offset).lerp_(corner(offset + step_z), along_z)

        def face(offset: int) -> torch.Tensor:
            return edge(offset).lerp_(edge(offset + step_y), along_y)

        return face(0).lerp_(face(step_x), along_x)


def _flat_index(places: torch.Tensor, source: _Source) -> torch.Tensor:
    """Places in memory of the voxels just below positions."""
    x, y, z = places.to(source.index_type).unbind(1)
    step_x, step_y, step_z = source.strides
    return torch.mul(x, step_x).add_(y, alpha=step_y).add_(z, alpha=step_z).view(-1)

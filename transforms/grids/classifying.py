"""The class of every voxel of a grid from the classes' shares on a coarser one, interpolated only where they differ."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
from torch.nn import functional

from transforms.grids.grid import AxisMap, Grid
from transforms.grids.resampling import resample

MIXED = 255
"""Stands for network cells whose corners do not agree."""

MAX_MIXED_SHARE = 0.25
"""Above this share of voxels in mixed cells, interpolating the whole slab is quicker than picking them."""


def classify(shares: torch.Tensor, source: Grid, target: Grid, *, has_background: bool) -> torch.Tensor:
    """The class with the largest linearly interpolated share at every voxel of a grid.

    Interpolation is a weighted mean of eight corners: where one class wins at all of them, it wins in between. So only
    voxels in cells with corners of different classes are interpolated, a few in a hundred of a usual label map, and
    the result is that of interpolating everything.

    Args:
        shares: `(C, X, Y, Z)` on `source`.
        source: Where the shares are.
        target: Where the classes shall be; both grids have the same axes in the same order.
        has_background: Whether the first channel is the background. Without, channel `c` stands for class `c + 1` and
            a voxel is 0 unless one share exceeds one half.

    Returns:
        uint8 `target.shape`, on the shares' device.
    """
    axis_map = AxisMap.between(source, target)
    if axis_map.axes != (0, 1, 2) or shares.shape[0] >= MIXED:
        return largest(resample(shares, source, target), has_background)
    axes = [
        _Axis.of(axis_map.scale[axis], axis_map.offset[axis], target.shape[axis], size, shares.device)
        for axis, size in enumerate(source.shape)
    ]
    cells = _cells(largest(shares, has_background))
    classes = cells
    for axis in (2, 1, 0):  # voxels one by one while they are few, then whole rows and planes
        classes = classes.index_select(axis, axes[axis].lower)
    if not classes.any():
        return classes
    mixed = (classes == MIXED).flatten().nonzero()[:, 0]
    if mixed.numel() > MAX_MIXED_SHARE * classes.numel():
        return largest(resample(shares, source, target), has_background)
    classes.view(-1)[mixed] = largest(_interpolated(shares, axes, mixed, target.shape), has_background)
    return classes


def largest(shares: torch.Tensor, has_background: bool) -> torch.Tensor:
    """The class with the largest share, `(C, ...)` to uint8 `(...)`; see :func:`classify`."""
    best, channel = shares.max(0)
    if has_background:
        return channel.to(torch.uint8)
    return torch.where(best > 0.5, channel + 1, 0).to(torch.uint8)


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """For every target index along an axis the source indices below and above it, and how much the upper one counts."""

    lower: torch.Tensor
    upper: torch.Tensor
    weight: torch.Tensor

    @classmethod
    def of(cls, scale: float, offset: float, length: int, size: int, device: torch.device) -> _Axis:
        position = (torch.arange(length, dtype=torch.float64) * scale + offset).clamp_(0, size - 1)
        lower = position.floor().clamp_(max=max(size - 2, 0))
        return cls(
            lower=lower.long().to(device),
            upper=(lower.long() + 1).clamp_(max=size - 1).to(device),
            weight=(position - lower).float().to(device),
        )


def _cells(classes: torch.Tensor) -> torch.Tensor:
    """The class of each cell, from one voxel to the next along every axis; `MIXED` where its corners differ."""
    low = high = classes
    for axis in range(classes.ndim):
        last = classes.shape[axis] - 1
        if last:
            beyond = [part.narrow(axis, 1, last) for part in (low, high)]
            ends = [part.narrow(axis, last, 1) for part in (low, high)]
            low = torch.cat([torch.minimum(low.narrow(axis, 0, last), beyond[0]), ends[0]], axis)
            high = torch.cat([torch.maximum(high.narrow(axis, 0, last), beyond[1]), ends[1]], axis)
    return torch.where(low == high, low, MIXED)


def _interpolated(
    shares: torch.Tensor, axes: list[_Axis], chosen: torch.Tensor, shape: tuple[int, int, int]
) -> torch.Tensor:
    """The shares `(C, N)` at chosen voxels, given by their index in the flattened target."""
    _, columns, rows = shape
    index = (chosen // (columns * rows), chosen // rows % columns, chosen % rows)
    sides = [
        ((axis.lower[at], 1 - axis.weight[at]), (axis.upper[at], axis.weight[at]))
        for axis, at in zip(axes, index, strict=True)
    ]
    # All channels of a voxel beside each other: a corner is one stretch of memory.
    voxels = shares.permute(1, 2, 3, 0).reshape(-1, shares.shape[0]).float()
    _, y_size, z_size = shares.shape[1:]
    corners = list(product(*sides))
    places = torch.stack([(x * y_size + y) * z_size + z for (x, _), (y, _), (z, _) in corners], dim=1)
    weights = torch.stack([a * b * c for (_, a), (_, b), (_, c) in corners], dim=1)
    return functional.embedding_bag(places, voxels, per_sample_weights=weights, mode="sum").T

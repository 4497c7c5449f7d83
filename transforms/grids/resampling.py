"""Resampling between grids that share their axes: one interpolation an axis, only of the voxels that are needed."""

from __future__ import annotations

from typing import Literal

import torch

from transforms.grids.grid import AxisMap, Grid
from transforms.threads import in_pieces

Mode = Literal["linear", "nearest"]

PIECE_VOXELS = 2**18
"""Voxels of the source that are resampled at a time."""

ON_VOXEL = 1e-4
"""A target voxel nearer than this to a source voxel, in source voxels, takes its value without interpolation."""


def resample(
    volume: torch.Tensor, source: Grid, target: Grid, *, mode: Mode = "linear", dtype: torch.dtype | None = None
) -> torch.Tensor:
    """Samples a volume on another grid with the same axes, repeating the border outside.

    Trilinear interpolation is separable here, so each axis is interpolated in turn: the cost is a few passes over the
    smaller volumes instead of eight gathers a voxel. The result equals
    `grid_sample(..., padding_mode="border")` on the same coordinates.

    Args:
        volume: `(C, X, Y, Z)` on `source`, any dtype.
        source: Where the voxels are.
        target: Where they shall be.
        mode: `linear`, or `nearest` for label maps.
        dtype: Of the result; by default float32 for `linear` (float16 and bfloat16 stay), the input's for `nearest`.

    Returns:
        `(C, *target.shape)`, a new tensor or, where nothing moves, a view.

    Raises:
        GeometryError: When the grids do not share their axes.
    """
    axis_map = AxisMap.between(source, target)
    if dtype is None:
        dtype = volume.dtype if mode == "nearest" or volume.dtype in (torch.float16, torch.bfloat16) else torch.float32
    moved = volume.as_subclass(torch.Tensor).permute(0, *(axis + 1 for axis in axis_map.axes))
    # In the order of memory, slices that lie apart are taken as whole blocks; files have x run fastest, tensors z.
    in_memory = sorted(range(3), key=lambda axis: -moved.stride(axis + 1))
    moved = moved.permute(0, *(axis + 1 for axis in in_memory))
    positions = [
        (axis_map.scale[axis] * torch.arange(target.shape[axis], dtype=torch.float64) + axis_map.offset[axis]).to(
            moved.device
        )
        for axis in in_memory
    ]
    if mode == "linear" and moved.device.type == "cpu" and moved.numel() > PIECE_VOXELS:
        moved = _in_pieces(moved, positions, dtype)
    else:
        moved = _along_axes(moved, positions, mode, dtype)
    return moved.permute(0, *(in_memory.index(axis) + 1 for axis in range(3))).to(dtype)


def _in_pieces(volume: torch.Tensor, positions: list[torch.Tensor], dtype: torch.dtype) -> torch.Tensor:
    """Some slices at a time, in a thread: what is between the axes stays in the processor's cache."""
    result = volume.new_empty((volume.shape[0], *(len(position) for position in positions)), dtype=dtype)
    step = max(1, PIECE_VOXELS // max(1, volume[:, 0].numel()))

    def make(first: int) -> None:
        piece = _along_axis(volume, 1, positions[0], "linear", dtype, slice(first, first + step))
        for axis, position in enumerate(positions[1:], start=2):
            piece = _along_axis(piece, axis, position, "linear", dtype)
        result[:, first : first + step] = piece

    in_pieces(make, range(0, result.shape[1], step))
    return result


def _along_axes(volume: torch.Tensor, positions: list[torch.Tensor], mode: Mode, dtype: torch.dtype) -> torch.Tensor:
    axes = list(enumerate(positions, start=1))
    # Along the last axis voxels are taken one by one, along others in blocks: so it comes first where they become more.
    if mode == "nearest" and len(positions[0]) > volume.shape[1]:
        axes.reverse()
    for axis, position in axes:
        volume = _along_axis(volume, axis, position, mode, dtype)
    return volume


def _along_axis(
    volume: torch.Tensor,
    axis: int,
    position: torch.Tensor,
    mode: Mode,
    dtype: torch.dtype,
    part: slice = slice(None),
) -> torch.Tensor:
    size = volume.shape[axis]
    position = position.clamp(0, size - 1)
    if mode == "nearest":
        return _take(volume, axis, (position + 0.5 - 1e-9).floor().long().clamp_(0, size - 1))
    nearest = position.round()
    if bool(((position - nearest).abs() < ON_VOXEL).all()):
        return _take(volume, axis, nearest.long()[part])
    position = position[part]
    lower = position.floor().clamp_(0, max(size - 2, 0)).long()
    weight = (position - lower).to(dtype)
    weight = weight.reshape([-1 if dim == axis else 1 for dim in range(volume.ndim)])
    below = _select(volume, axis, lower).to(dtype)
    above = _select(volume, axis, (lower + 1).clamp_(max=size - 1)).to(dtype)
    return torch.lerp(below, above, weight)


def _take(volume: torch.Tensor, axis: int, index: torch.Tensor) -> torch.Tensor:
    first, count = int(index[0]), index.numel()
    if torch.equal(index, torch.arange(first, first + count, device=index.device)):
        return volume.narrow(axis, first, count)
    return _select(volume, axis, index)


def _select(volume: torch.Tensor, axis: int, index: torch.Tensor) -> torch.Tensor:
    """`index_select`, which first copies all of what does not lie in one piece in memory: it gets what is needed."""
    first, last = int(index.min()), int(index.max())
    return volume.narrow(axis, first, last + 1 - first).index_select(axis, index - first)

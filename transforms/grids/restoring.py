"""Logits on the network grid to a label map on the native grid, slab by slab."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms import MapTransform
from numpy.typing import NDArray

from transforms.errors import SettingError
from transforms.grids.classifying import classify
from transforms.grids.grid import AxisMap, Grid, placed
from transforms.threads import in_pieces

Activation = Literal["softmax", "sigmoid"]
Shares = Callable[[torch.Tensor], torch.Tensor]

SLAB_VOXELS = 2**21
"""Native voxels that a thread restores at a time: all that is ever held in floating point, times the classes."""

SLAB_VOXELS_CUDA = 2**24
"""The same on a GPU, which is idle between two slabs."""

EDGE = 0.5 + 1e-3
"""How far outside the centres of the outermost network voxels, in network voxels, a native voxel still belongs."""


def restore_label_map(
    logits: torch.Tensor,
    source: Grid,
    native: Grid,
    *,
    activation: Activation = "softmax",
    merge: Sequence[Sequence[int]] | None = None,
) -> torch.Tensor:
    """The class of every native voxel: activation, linear interpolation of the shares, then the largest.

    Nothing of size (classes × native voxels) is held: slabs of native slices are made one after the other, and only
    voxels between network voxels of different classes are interpolated at all (:func:`classify`).

    Args:
        logits: `(C, X, Y, Z)` on `source`, float of any precision.
        source: The network grid; it may cover only a part of the native grid, the rest is 0.
        native: The grid of the result, with the same axes.
        activation: `softmax` over the channels; `sigmoid` where each channel answers for itself, so that the voxel
            is 0 unless one exceeds one half.
        merge: Channels that count as one class: for each class of the result the channels whose shares are added.

    Returns:
        uint8 `(1, *native.shape)`, with the memory order of NIfTI (the first index runs fastest).
    """
    has_background = activation == "softmax" or merge is not None
    shares_of = partial(class_shares, activation=activation, merge=merge)
    plain = merge is None
    return _restore(logits, source, native, shares_of, has_background, _may_be_found(activation) if plain else None)


def _may_be_found(activation: Activation) -> Shares:
    """Where something else than background wins on the network grid; in between, it wins nowhere else."""
    if activation == "softmax":
        return lambda logits: _any_above(logits[1:], logits[0])
    return lambda logits: _any_above(logits, torch.zeros((), dtype=logits.dtype, device=logits.device))


def _any_above(channels: torch.Tensor, least: torch.Tensor) -> torch.Tensor:
    """Where one of the channels `(C, X, Y, Z)` is above the least, one after the other: they may lie side by side."""
    above = channels.new_zeros(channels.shape[1:], dtype=torch.bool)
    for channel in channels:
        above |= channel > least
    return above


def _restore(
    values: torch.Tensor,
    source: Grid,
    native: Grid,
    shares_of: Shares,
    has_background: bool,
    found: Shares | None = None,
) -> torch.Tensor:
    order = (2, 1, 0)
    target = native.permuted(order)
    label_map = torch.zeros(target.shape, dtype=torch.uint8)
    # Both in the order of the result's memory, so that nothing of the native grid's size is turned around.
    axes = AxisMap.between(source, target).axes
    values = values.as_subclass(torch.Tensor).permute(0, *(axis + 1 for axis in axes))
    source = source.permuted(axes)
    if found is not None:
        part = _box_of(found(values))
        if part is None:
            return label_map.permute(order)[None]
        values = values[(slice(None), *part)]
        source = source.cropped([side.start for side in part], [side.stop for side in part])
    box = _covered(source, target)
    if all(start < stop for start, stop in box):
        inner = tuple(slice(start, stop) for start, stop in box[1:])

        def make(planes: tuple[int, int]) -> None:
            first, last = planes
            slab = target.cropped((first, box[1][0], box[2][0]), (last, box[1][1], box[2][1]))
            grid, shares = _around(values, source, slab, shares_of)
            label_map[(slice(first, last), *inner)] = classify(shares, grid, slab, has_background=has_background).cpu()

        if values.is_cuda:
            for planes in _slabs(box, SLAB_VOXELS_CUDA):
                make(planes)
        else:
            in_pieces(make, _slabs(box, SLAB_VOXELS))
    return label_map.permute(order)[None]


def _box_of(mask: torch.Tensor) -> tuple[slice, ...] | None:
    """The box of a mask `(X, Y, Z)` and one voxel around it; `None` where it is empty."""
    box = []
    for axis, size in enumerate(mask.shape):
        rest = mask
        for other in sorted({0, 1, 2} - {axis}, reverse=True):
            rest = rest.any(other)
        hit = rest.nonzero()
        if not hit.numel():
            return None
        box.append(slice(max(0, int(hit[0]) - 1), min(size, int(hit[-1]) + 2)))
    return tuple(box)


def _around(values: torch.Tensor, source: Grid, slab: Grid, shares_of: Shares) -> tuple[Grid, torch.Tensor]:
    """The network slices that a native slab lies between, and the shares on them."""
    axis_map = AxisMap.between(source, slab)
    ends = sorted((axis_map.offset[0], axis_map.scale[0] * (slab.shape[0] - 1) + axis_map.offset[0]))
    first = min(max(int(np.floor(ends[0])), 0), source.shape[0] - 1)
    last = min(max(int(np.floor(ends[1])) + 2, first + 1), source.shape[0])
    part = source.cropped((first, 0, 0), (last, *source.shape[1:]))
    return part, shares_of(values[:, first:last].contiguous())


def class_shares(
    logits: torch.Tensor, activation: Activation, merge: Sequence[Sequence[int]] | None = None
) -> torch.Tensor:
    """The share of each class, `(C, ...)` float32; arguments as of :func:`restore_label_map`."""
    shares = logits.float().softmax(0) if activation == "softmax" else logits.float().sigmoid()
    if merge is None:
        return shares
    return torch.stack([shares[list(channels)].sum(0) for channels in merge])


def half_shares(
    logits: torch.Tensor, activation: Activation, merge: Sequence[Sequence[int]] | None = None
) -> torch.Tensor:
    """The share of each class in half precision, made some planes at a time; arguments as of :func:`class_shares`.

    Returns:
        float16 `(C, X, Y, Z)` in the host's memory.
    """
    plain = logits.as_subclass(torch.Tensor)
    shares = torch.empty((plain.shape[0] if merge is None else len(merge), *plain.shape[1:]), dtype=torch.float16)
    step = max(1, SLAB_VOXELS // max(1, plain[0, :1].numel()))
    for first in range(0, plain.shape[1], step):
        shares[:, first : first + step] = class_shares(plain[:, first : first + step], activation, merge)
    return shares


def _covered(source: Grid, target: Grid) -> list[tuple[int, int]]:
    """The range of target indices along each axis that the source grid covers."""
    axis_map = AxisMap.between(source, target)
    ranges = []
    for axis in range(3):
        last = source.shape[axis_map.axes[axis]] - 1
        ends = sorted((edge - axis_map.offset[axis]) / axis_map.scale[axis] for edge in (-EDGE, last + EDGE))
        ranges.append((max(int(np.ceil(ends[0])), 0), min(int(np.floor(ends[1])) + 1, target.shape[axis])))
    return ranges


def _slabs(box: Sequence[tuple[int, int]], voxels: int) -> Iterator[tuple[int, int]]:
    slice_voxels = (box[1][1] - box[1][0]) * (box[2][1] - box[2][0])
    thickness = max(1, voxels // slice_voxels)
    for first in range(box[0][0], box[0][1], thickness):
        yield first, min(first + thickness, box[0][1])


def restore_mask(
    mask: torch.Tensor,
    affine: NDArray[np.float64],
    native_affine: NDArray[np.float64],
    native_shape: tuple[int, int, int],
) -> torch.Tensor:
    """Brings a coarse label map to the native grid: the shares of its values interpolated, the largest wins.

    Args:
        mask: uint8 `(1, X, Y, Z)`, 0 outside.
        affine: Of the coarse grid.
        native_affine: Of the native grid, with the same axes.
        native_shape: Of the native grid.

    Returns:
        uint8 `(1, *native_shape)`; 0 wherever no value has more than half.
    """
    x, y, z = mask.shape[1:]
    source = Grid(shape=(x, y, z), affine=np.asarray(affine, dtype=np.float64))
    native = Grid(shape=native_shape, affine=np.asarray(native_affine, dtype=np.float64))
    voxels = mask[0].as_subclass(torch.Tensor)
    shares = torch.stack([voxels == value for value in range(1, int(voxels.max().clamp(min=1)) + 1)])
    return _restore(shares.to(torch.bfloat16), source, native, lambda slab: slab, has_background=False)


class RestoreLabelMapd(MapTransform):
    """Turns logits on the network grid into a label map on the native grid of the image that they came from.

    The affine of the logits and the native grid in the image's meta say where everything is: no transform has to be
    undone, so the result does not depend on which preprocessing was used.

    Args:
        keys: Logits `(C, X, Y, Z)`; replaced by a uint8 `MetaTensor` `(1, X, Y, Z)`.
        classes: Class name to value, background 0.
        activation: See :func:`restore_label_map`.
        merge: Channels of the network that count as one class, where the network knows more of them than `classes`.
        image_key: The image on the network grid, whose meta says where the network grid and the native grid are.
        probabilities_key: Where the classes' shares on the network grid are kept, float16 `(C, X, Y, Z)`; `None` keeps
            none.
    """

    def __init__(
        self,
        keys: KeysCollection,
        classes: Mapping[str, int],
        *,
        activation: Activation = "softmax",
        merge: Sequence[Sequence[int]] | None = None,
        image_key: str = "image",
        probabilities_key: str | None = None,
    ) -> None:
        super().__init__(keys)
        self.classes = dict(classes)
        self.activation: Activation = activation
        self.merge = merge
        self.image_key = image_key
        self.probabilities_key = probabilities_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with the label map in the place of the logits."""
        restored = dict(data)
        image: MetaTensor = restored[self.image_key]
        native = Grid.native(image)
        for key in self.key_iterator(restored):
            logits: torch.Tensor = restored[key]
            merge = self._merge_for(logits.shape[0])
            label_map = restore_label_map(logits, Grid.of(image), native, activation=self.activation, merge=merge)
            if self.probabilities_key is not None:
                shares = half_shares(logits, self.activation, merge)
                restored[self.probabilities_key] = placed(shares, Grid.of(image).affine, image.meta)
            restored[key] = placed(label_map, native.affine, image.meta)
        return restored

    def _merge_for(self, channels: int) -> Sequence[Sequence[int]] | None:
        own = len(self.classes) - (1 if self.activation == "sigmoid" else 0)
        if channels == own:
            return None
        if self.merge is not None and channels == sum(len(group) for group in self.merge):
            return self.merge
        raise SettingError(
            "the network's channels do not fit the classes",
            where="classes",
            found=f"{channels} channels for {len(self.classes)} classes ({', '.join(self.classes)})",
            remedy="Name the weights' own classes under `classes`, or say under `merge` which channels make up each",
        )

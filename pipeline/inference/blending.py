"""Overlapping patches into one volume; float32 sums are held only where patches may still come."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pipeline.inference.placement import Place

OUTSIDE = 10.0
"""Where no patch lies, the background's logit lies by twice as much above all others: one part in a million of softmax.
Without a background each channel's logit is the negative."""


class Blend:
    """A weighted mean of patches that arrive in the order of their first axis.

    Sums and weights are kept for one patch's depth alone. What lies before the newest patch is finished: it is divided
    and goes into the result, which may be of half precision.

    Args:
        shape: Voxels of the volume.
        weight: How much each voxel of a patch counts, above 0; `patch_size`, float32, where sums are made.
        dtype: Of the result.
        has_background: Whether channel 0 is the background that voxels without a patch belong to; else such voxels
            belong to no channel.
    """

    def __init__(
        self, shape: Sequence[int], weight: torch.Tensor, *, dtype: torch.dtype = torch.float32, has_background: bool
    ) -> None:
        self.shape = tuple(shape)
        self.weight = weight
        self.dtype = dtype
        self.has_background = has_background
        self._begin = 0  # the plane that the sums begin at
        self._weights = weight.new_zeros((weight.shape[0], *self.shape[1:]))
        self._weight_of_all = weight  # of all channels, in the order of the patches' memory
        self._sums: torch.Tensor | None = None
        self._result: torch.Tensor | None = None

    def add(self, place: Place, patch: torch.Tensor) -> None:
        """Adds a patch `(K, *patch_size)` at a place that does not lie before the last one's first plane."""
        if self._sums is None or self._result is None:
            self._begin_with(patch)
        self._finish_until(place[0].start)
        inside = place[1:]
        sums: torch.Tensor = self._sums  # type: ignore[assignment]
        sums[(slice(None), slice(None), *inside)].addcmul_(patch.to(sums.dtype), self._weight_of_all)
        self._weights[(slice(None), *inside)] += self.weight

    def result(self) -> torch.Tensor:
        """The blended volume `(K, *shape)`.

        Raises:
            ValueError: When no patch was added.
        """
        self._finish_until(self.shape[0])
        if self._result is None:
            raise ValueError("no patch was blended")
        return self._result

    def _begin_with(self, patch: torch.Tensor) -> None:
        """Makes room for as many channels as a patch has, which lie in memory as the patch's do."""
        channels = patch.shape[0]
        last = channels > 1 and patch.stride(0) == 1
        order = (3, 0, 1, 2) if last else (0, 1, 2, 3)

        def room(*planes: int, dtype: torch.dtype = self.weight.dtype) -> torch.Tensor:
            shape = (*planes, channels) if last else (channels, *planes)
            return self.weight.new_zeros(shape, dtype=dtype).permute(order)

        self._sums = room(*self._weights.shape)
        self._weight_of_all = room(*self.weight.shape).copy_(self.weight)
        self._result = room(*self.shape, dtype=self.dtype)

    def _finish_until(self, plane: int) -> None:
        if self._sums is None or self._result is None or plane <= self._begin:
            return
        depth = self._weights.shape[0]
        done, kept = min(plane - self._begin, depth), max(0, depth - (plane - self._begin))
        planes = self._result[:, self._begin : plane]
        self._fill_outside(planes[:, done:])
        weights = self._weights[: planes.shape[1]][:done]
        if _may_be(weights > 0):
            self._write(planes[:, :done], self._sums[:, : weights.shape[0]], weights)
        else:
            self._fill_outside(planes[:, :done])
        for ring in (self._sums, self._weights[None]):
            _move_to_front(ring, kept)
            ring[:, kept:] = 0
        self._begin = plane

    def _write(self, planes: torch.Tensor, sums: torch.Tensor, weights: torch.Tensor) -> None:
        empty = weights == 0
        weights.clamp_(min=torch.finfo(weights.dtype).tiny)  # not needed any more
        # A channel at a time: where channels lie last, weights broadcast over all of them take three times as long.
        for channel, summed in zip(planes, sums, strict=True):
            torch.div(summed, weights, out=channel)
        if not _may_be(empty):
            return
        if self.has_background:  # others are 0 there, as their sums are
            planes[0].masked_fill_(empty, 2 * OUTSIDE)
        else:
            planes.masked_fill_(empty, -OUTSIDE)

    def _fill_outside(self, planes: torch.Tensor) -> None:
        _fill(planes, self.has_background)


def _move_to_front(ring: torch.Tensor, kept: int) -> None:
    """The last planes of `(C, X, Y, Z)` become the first, in place: as far at a time as they are moved."""
    away = ring.shape[1] - kept
    for first in range(0, kept, max(1, away)):
        part = min(away, kept - first)
        ring[:, first : first + part] = ring[:, first + away : first + away + part]


def leave_alone(logits: torch.Tensor, box: Place, *, has_background: bool) -> None:
    """Turns all voxels outside of a box into background, in place.

    Args:
        logits: `(K, X, Y, Z)`.
        box: What stays.
        has_background: See :class:`Blend`.
    """
    for axis, side in enumerate(box, start=1):
        for part in (
            logits.narrow(axis, 0, side.start),
            logits.narrow(axis, side.stop, logits.shape[axis] - side.stop),
        ):
            _fill(part, has_background)


def _may_be(mask: torch.Tensor) -> bool:
    """Whether a mask is set anywhere; on a GPU it may be: looking would wait for all that is being computed."""
    return mask.device.type == "cuda" or bool(mask.any())


def _fill(planes: torch.Tensor, has_background: bool) -> None:
    planes.fill_(0 if has_background else -OUTSIDE)
    if has_background:
        planes[:1].fill_(2 * OUTSIDE)

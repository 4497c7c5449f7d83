"""Overlapping patches into one volume."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pipeline.inference.placement import Place

OUTSIDE = 10.0
"""Where no patch lies, the background's logit lies by twice as much above all others: one part in a million of softmax.
Without a background each channel's logit is the negative."""


PLANES = 16
"""Sums are divided so many planes at a time: a small part of the memory that they take."""


class Blend:
    """A weighted mean of patches, which may come in any order.

    Sums lie where the mean will, in its number format: those of half precision are off by 0.05 % for each patch that
    reaches a voxel.

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
        self._weights = weight.new_zeros(self.shape)
        self._weight_of_all = weight  # of all channels, in the order of the patches' memory
        self._sums: torch.Tensor | None = None

    def add(self, place: Place, patch: torch.Tensor) -> None:
        """Adds a patch `(K, *patch_size)`."""
        if self._sums is None:
            self._sums = self._begin_with(patch)
        sums = self._sums[(slice(None), *place)]
        if sums.dtype == torch.float32:
            sums.addcmul_(patch.float(), self._weight_of_all)
        else:
            sums.copy_(torch.addcmul(sums.float(), patch.float(), self._weight_of_all))
        self._weights[place] += self.weight

    def unclear(self, searched: torch.Tensor | None = None) -> torch.Tensor:
        """Where something else than background leads by now, or no patch lies yet; a bool `(*shape)`.

        Args:
            searched: A bool `(*shape)`: no patch is missed elsewhere.
        """
        unclear = self._weights == 0
        if searched is not None:
            unclear &= searched
        if self._sums is None:
            return unclear
        first, *others = self._sums
        if not self.has_background:
            first, others = torch.zeros_like(first), list(self._sums)
        for other in others:
            unclear |= other > first
        return unclear

    def result(self) -> torch.Tensor:
        """The blended volume `(K, *shape)`; nothing can be added any more.

        Raises:
            ValueError: When no patch was added.
        """
        if self._sums is None:
            raise ValueError("no patch was blended")
        for first in range(0, self.shape[0], PLANES):
            planes = slice(first, first + PLANES)
            self._divide(self._sums[:, planes], self._weights[planes])
        return self._sums

    def _divide(self, sums: torch.Tensor, weights: torch.Tensor) -> None:
        empty = weights == 0
        weights.clamp_(min=torch.finfo(weights.dtype).tiny)
        means = sums.float()  # themselves, where they are
        # A channel at a time: where channels lie last, weights broadcast over all of them take three times as long.
        for channel in means:
            channel.div_(weights)
        if self.has_background:  # others are 0 there, as their sums are
            means[0].masked_fill_(empty, 2 * OUTSIDE)
        else:
            means.masked_fill_(empty, -OUTSIDE)
        sums.copy_(means)

    def _begin_with(self, patch: torch.Tensor) -> torch.Tensor:
        """Room for as many channels as a patch has, which lie in memory as the patch's do."""
        channels = patch.shape[0]
        last = channels > 1 and patch.stride(0) == 1
        order = (3, 0, 1, 2) if last else (0, 1, 2, 3)

        def room(shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
            wide = (*shape, channels) if last else (channels, *shape)
            return self.weight.new_zeros(wide, dtype=dtype).permute(order)

        self._weight_of_all = room(self.weight.shape, self.weight.dtype).copy_(self.weight)
        return room(self.shape, self.dtype)


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
            part.fill_(0 if has_background else -OUTSIDE)
            if has_background:
                part[:1].fill_(2 * OUTSIDE)

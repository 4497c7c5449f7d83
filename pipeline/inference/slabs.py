"""2.5D networks over whole volumes: every slice with its neighbours, in batches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from pipeline.inference.backends import BackendName
from pipeline.inference.ferrying import brought
from pipeline.inference.precision import Precision
from pipeline.inference.volume import Progress, Runner, VolumeInferer
from transforms.errors import SettingError
from transforms.slabs import axial_slabs, check_slices


class SlabInferer(VolumeInferer):
    """Runs a 2D network over every axial slice of a volume, each seen with its neighbours as channels.

    The last index of the volume is the slice; at the ends the outermost slice stands in for missing neighbours.
    Slices are padded on all sides to what the network takes, and at least to the patches that it learned from: without
    these margins a small slice is not what it knows. They are cropped again. The network maps `(N, C * slices, X, Y)`
    to logits `(N, K, X, Y)` of the middle slice.

    Args:
        slices: Slices of a slab, odd; the network predicts the middle one.
        patch_size: In-plane size of the patches of training.
        batch_size: See :class:`pipeline.inference.VolumeInferer`, as all that follow but `multiple_of`.
        multiple_of: In-plane sizes that the network takes: multiples of this.
        precision: Number format of the network.
        device: Where the network runs.
        padding_value: Of pixels outside the slice.
        backend: What computes the network.
        flips: Test-time augmentation: axes along which each view of a part is mirrored (0 is x); logits are averaged.
        progress: Called with the number of slices done and the total.

    Raises:
        SettingError: When `slices` is even or not positive, the precision or backend is unknown, or slices cannot be
            mirrored so.
    """

    mirrored_axes = 2

    def __init__(
        self,
        slices: int = 3,
        *,
        patch_size: Sequence[int] = (1, 1),
        batch_size: int = 8,
        multiple_of: int = 16,
        precision: Precision = "auto",
        device: torch.device | str | None = None,
        padding_value: float = 0.0,
        backend: BackendName = "auto",
        flips: Sequence[Sequence[int]] = ((),),
        progress: Progress | None = None,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            precision=precision,
            device=device,
            padding_value=padding_value,
            backend=backend,
            flips=flips,
            progress=progress,
        )
        self.slices = check_slices(slices)
        self.patch_size = tuple(int(size) for size in patch_size[:2])
        if multiple_of < 1:
            raise SettingError("slices cannot be padded to such a multiple", where="multiple_of", found=multiple_of)
        self.multiple_of = multiple_of

    def _logits(self, volume: torch.Tensor, run: Runner, gather: torch.device) -> torch.Tensor:
        width, height, depth = volume.shape[1:]
        if depth == 0:
            raise SettingError("a volume without slices cannot be segmented", found=tuple(volume.shape))
        left, right = self._padding(width, self.patch_size[0])
        below, above = self._padding(height, self.patch_size[1])
        inside = (slice(None), slice(left, left + width), slice(below, below + height))
        slabs = axial_slabs(brought(volume.as_subclass(torch.Tensor), gather), self.slices)
        pads = (below, above, left, right)
        parts = (functional.pad(slab.flatten(0, 1), pads, value=self.padding_value) for slab in slabs)
        kept = (logits[inside].to(gather, torch.float32) for logits in run(parts, depth))
        first = next(kept)
        total = torch.empty((depth, *first.shape), device=gather)
        total[0] = first
        for at, logits in enumerate(kept, start=1):
            total[at] = logits
        return total.permute(1, 2, 3, 0)

    def _padding(self, extent: int, least: int) -> tuple[int, int]:
        """Before and after a slice along one axis: the middle stays the middle, as in patches of training."""
        padded = -(-max(extent, least) // self.multiple_of) * self.multiple_of
        return (padded - extent) // 2, padded - extent - (padded - extent) // 2

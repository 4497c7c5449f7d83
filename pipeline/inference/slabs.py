"""2.5D networks over whole volumes: every slice with its neighbours, in batches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from pipeline.inference.precision import Precision
from pipeline.inference.volume import Mask, Network, Progress, VolumeInferer
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
        progress: Called with the number of slices done and the total after each batch.

    Raises:
        SettingError: When `slices` is even or not positive, or the precision is unknown.
    """

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
        progress: Progress | None = None,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            precision=precision,
            device=device,
            padding_value=padding_value,
            within=None,
            progress=progress,
        )
        self.slices = check_slices(slices)
        self.patch_size = tuple(int(size) for size in patch_size[:2])
        if multiple_of < 1:
            raise SettingError("slices cannot be padded to such a multiple", where="multiple_of", found=multiple_of)
        self.multiple_of = multiple_of

    def _logits(self, volume: torch.Tensor, network: Network, mask: Mask | None) -> torch.Tensor:
        width, height, depth = volume.shape[1:]
        left, right = self._padding(width, self.patch_size[0])
        below, above = self._padding(height, self.patch_size[1])
        pads = (below, above, left, right)
        inside = (..., slice(left, left + width), slice(below, below + height))
        slabs = axial_slabs(volume, self.slices)
        total: torch.Tensor | None = None
        for first in range(0, depth, self.batch_size):
            batch = functional.pad(slabs[first : first + self.batch_size].flatten(1, 2), pads, value=self.padding_value)
            logits = self._run(network, batch, volume.device)[inside]
            if total is None:
                total = volume.new_empty((depth, *logits.shape[1:]), dtype=torch.float32)
            total[first : first + self.batch_size] = logits
            self._tell(first + self.batch_size, depth)
        if total is None:
            raise SettingError("a volume without slices cannot be segmented", found=tuple(volume.shape))
        return total.permute(1, 2, 3, 0)

    def _padding(self, extent: int, least: int) -> tuple[int, int]:
        """Before and after a slice along one axis: the middle stays the middle, as in patches of training."""
        padded = -(-max(extent, least) // self.multiple_of) * self.multiple_of
        return (padded - extent) // 2, padded - extent - (padded - extent) // 2

"""2.5D networks over whole volumes: every slice with its neighbours, in batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.data.meta_tensor import MetaTensor
from monai.inferers import Inferer
from torch.nn import functional

from pipeline.inference.precision import Precision, autocast, check_precision
from transforms.errors import SettingError
from transforms.slabs import axial_slabs, check_slices

Network = Callable[..., torch.Tensor]


class SlabInferer(Inferer):
    """Runs a 2D network over every axial slice of a volume, each seen with its neighbours as channels.

    The last index of the volume is the slice; at the ends the outermost slice stands in for missing neighbours.
    Slices are padded to what the network takes and cropped again.

    Args:
        slices: Slices of a slab, odd; the network predicts the middle one.
        batch_size: Slabs that go through the network at a time.
        multiple_of: In-plane sizes that the network takes: multiples of this.
        precision: Number format of the network (:data:`pipeline.inference.Precision`).
        device: Where the network runs; by default where the input is.
        padding_value: Of pixels outside the slice: 0 is air after scaling to 0..1.
        progress: Called with the number of slices done and the total after each batch.

    Raises:
        SettingError: When `slices` is even or not positive, or the precision is unknown.
    """

    def __init__(
        self,
        slices: int = 3,
        *,
        batch_size: int = 8,
        multiple_of: int = 16,
        precision: Precision = "auto",
        device: torch.device | str | None = None,
        padding_value: float = 0.0,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        super().__init__()
        self.slices = check_slices(slices)
        if multiple_of < 1:
            raise SettingError("slices cannot be padded to such a multiple", where="multiple_of", found=multiple_of)
        self.batch_size = batch_size
        self.multiple_of = multiple_of
        self.precision = check_precision(precision)
        self.device = None if device is None else torch.device(device)
        self.padding_value = padding_value
        self.progress = progress

    def __call__(self, inputs: torch.Tensor, network: Network, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Logits of volumes.

        Args:
            inputs: `(B, C, X, Y, Z)`, a `MetaTensor` or a tensor.
            network: Maps `(N, C * slices, X, Y)` to logits `(N, K, X, Y)` of the middle slice.
            args: Passed to the network.
            kwargs: Passed to the network.

        Returns:
            `(B, K, X, Y, Z)` float32 where the input is, with its meta.
        """
        plain = inputs.as_subclass(torch.Tensor)
        with torch.no_grad():
            volumes = [self._slices(volume, network, *args, **kwargs) for volume in plain]
        logits = volumes[0][None] if len(volumes) == 1 else torch.stack(volumes)
        return MetaTensor(logits, meta=inputs.meta) if isinstance(inputs, MetaTensor) else logits

    def _slices(self, volume: torch.Tensor, network: Network, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Logits `(K, X, Y, Z)` of one volume `(C, X, Y, Z)`."""
        device = volume.device if self.device is None else self.device
        width, height, depth = volume.shape[1:]
        pads = (0, -height % self.multiple_of, 0, -width % self.multiple_of)
        slabs = axial_slabs(volume, self.slices)
        total: torch.Tensor | None = None
        for first in range(0, depth, self.batch_size):
            batch = slabs[first : first + self.batch_size].to(device).flatten(1, 2)
            batch = functional.pad(batch, pads, value=self.padding_value)
            with torch.inference_mode(), autocast(self.precision, device):
                logits = network(batch, *args, **kwargs)[..., :width, :height]
            if total is None:
                total = volume.new_empty((depth, *logits.shape[1:]), dtype=torch.float32)
            total[first : first + self.batch_size] = logits
            if self.progress is not None:
                self.progress(min(first + self.batch_size, depth), depth)
        if total is None:
            raise SettingError("a volume without slices cannot be segmented", found=tuple(volume.shape))
        return total.permute(1, 2, 3, 0)

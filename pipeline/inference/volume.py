"""What all ways of bringing a whole volume through a network share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.data.meta_tensor import MetaTensor
from monai.inferers import Inferer

from pipeline.inference.precision import Precision, autocast, check_precision
from transforms.grids import Grid, resample

Network = Callable[..., torch.Tensor]
Mask = npt.NDArray[np.bool_]
Progress = Callable[[int, int], None]


class VolumeInferer(Inferer):
    """One interface for 3D and 2.5D: volumes in, logits on the same grid out, a few parts at a time.

    Args:
        batch_size: Parts (patches, slabs) that go through the network at a time.
        precision: Number format of the network (:data:`pipeline.inference.Precision`); logits are float32.
        device: Where the network runs; by default where the input is. The volume itself stays where it is.
        padding_value: Of voxels outside the volume: 0 is air after scaling to 0..1.
        within: Key of the volume's meta with a mask (a `MetaTensor` `(1, X, Y, Z)` on a grid with the same axes, such
            as :class:`transforms.RegionOfInterestd` leaves): what lies outside may be left out as background.
            Without such an entry, and for several volumes at once, all is searched.
        progress: Called with the number of parts done and the total after each batch.

    Raises:
        SettingError: When the precision is unknown.
    """

    def __init__(
        self,
        *,
        batch_size: int,
        precision: Precision,
        device: torch.device | str | None,
        padding_value: float,
        within: str | None,
        progress: Progress | None,
    ) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.precision = check_precision(precision)
        self.device = None if device is None else torch.device(device)
        self.padding_value = padding_value
        self.within = within
        self.progress = progress

    def __call__(self, inputs: torch.Tensor, network: Network, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Logits of volumes.

        Args:
            inputs: `(B, C, X, Y, Z)`, a `MetaTensor` or a tensor.
            network: Takes the parts that the inferer makes.
            args: Passed to the network.
            kwargs: Passed to the network.

        Returns:
            `(B, K, X, Y, Z)` float32 where the input is, with its meta.
        """
        plain, mask = inputs.as_subclass(torch.Tensor), self._mask(inputs)
        with torch.no_grad():
            volumes = [self._logits(volume, lambda part: network(part, *args, **kwargs), mask) for volume in plain]
        logits = volumes[0][None] if len(volumes) == 1 else torch.stack(volumes)
        return MetaTensor(logits, meta=inputs.meta) if isinstance(inputs, MetaTensor) else logits

    @abstractmethod
    def _logits(self, volume: torch.Tensor, network: Network, mask: Mask | None) -> torch.Tensor:
        """Logits `(K, X, Y, Z)` of one volume `(C, X, Y, Z)`, at least where the mask is set."""

    def _mask(self, inputs: torch.Tensor) -> Mask | None:
        """The mask that the volume brings along, on its grid; `None` for all."""
        found = getattr(inputs, "meta", {}).get(self.within)
        if not isinstance(found, MetaTensor) or not isinstance(inputs, MetaTensor) or len(inputs) != 1:
            return None
        x, y, z = inputs.shape[2:]
        grid = Grid(shape=(x, y, z), affine=inputs.affine.numpy())
        on_grid = resample(found, Grid.of(found), grid, mode="nearest")
        mask: Mask = on_grid[0].cpu().numpy() > 0
        return mask

    def _run(self, network: Network, parts: torch.Tensor, home: torch.device) -> torch.Tensor:
        """A batch of parts through the network, its logits back home as float32."""
        device = home if self.device is None else self.device
        with torch.inference_mode(), autocast(self.precision, device):
            logits = network(parts.to(device))
        return logits.to(home, torch.float32)

    def _tell(self, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(min(done, total), total)

"""3D networks over whole volumes: overlapping patches, blended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import torch
from monai.data.meta_tensor import MetaTensor
from monai.data.utils import compute_importance_map
from monai.inferers import Inferer
from monai.utils import BlendMode
from torch.nn import functional

from pipeline.inference.precision import Precision, autocast, check_precision
from transforms.errors import SettingError

Network = Callable[..., torch.Tensor]


class PatchInferer(Inferer):
    """Runs a 3D network over a volume in overlapping patches and blends what they say with a Gaussian.

    Patches lie where MONAI's `SlidingWindowInferer` puts them and weigh as much, so both give the same logits. A
    volume smaller than a patch is padded with `padding_value`.

    Args:
        patch_size: Voxels of a patch along x, y, z.
        overlap: Share of a patch that the next one covers again, in `[0, 1)`.
        batch_size: Patches that go through the network at a time.
        precision: Number format of the network (:data:`pipeline.inference.Precision`); blending is in float32.
        device: Where the network runs; by default where the input is. The volume itself stays where it is.
        padding_value: Of voxels outside the volume: 0 is air after scaling to 0..1.
        progress: Called with the number of patches done and the total after each batch.

    Raises:
        SettingError: When the overlap is not in `[0, 1)`, or the precision is unknown.
    """

    def __init__(
        self,
        patch_size: Sequence[int],
        *,
        overlap: float = 0.5,
        batch_size: int = 4,
        precision: Precision = "auto",
        device: torch.device | str | None = None,
        padding_value: float = 0.0,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= overlap < 1:
            raise SettingError(
                "the overlap of patches cannot be used", where="overlap", found=overlap, expected="0 to below 1"
            )
        self.patch_size = tuple(int(size) for size in patch_size)
        self.overlap = overlap
        self.batch_size = batch_size
        self.precision = check_precision(precision)
        self.device = None if device is None else torch.device(device)
        self.padding_value = padding_value
        self.progress = progress

    def __call__(self, inputs: torch.Tensor, network: Network, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Logits of volumes.

        Args:
            inputs: `(B, C, X, Y, Z)`, a `MetaTensor` or a tensor.
            network: Maps `(N, C, *patch_size)` to logits `(N, K, *patch_size)`.
            args: Passed to the network.
            kwargs: Passed to the network.

        Returns:
            `(B, K, X, Y, Z)` float32 where the input is, with its meta.
        """
        plain = inputs.as_subclass(torch.Tensor)
        shape = plain.shape[2:]
        padding = [max(0, size - extent) for size, extent in zip(self.patch_size, shape, strict=True)]
        if any(padding):
            sides = [side for pad in reversed(padding) for side in (pad // 2, pad - pad // 2)]
            plain = functional.pad(plain, sides, value=self.padding_value)
        with torch.no_grad():
            volumes = [self._blend(volume, network, *args, **kwargs) for volume in plain]
        blended = volumes[0][None] if len(volumes) == 1 else torch.stack(volumes)
        inside = tuple(slice(pad // 2, pad // 2 + extent) for pad, extent in zip(padding, shape, strict=True))
        logits = blended[(slice(None), slice(None), *inside)]
        return MetaTensor(logits, meta=inputs.meta) if isinstance(inputs, MetaTensor) else logits

    def _blend(self, volume: torch.Tensor, network: Network, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Logits `(K, X, Y, Z)` of one volume `(C, X, Y, Z)` that is at least as large as a patch."""
        device = volume.device if self.device is None else self.device
        weight = self._importance()
        places = list(self._places(volume.shape[1:]))
        total: torch.Tensor | None = None
        weights = torch.zeros(volume.shape[1:])
        for first in range(0, len(places), self.batch_size):
            batch = places[first : first + self.batch_size]
            patches = torch.stack([volume[(slice(None), *place)] for place in batch]).to(device)
            with torch.inference_mode(), autocast(self.precision, device):
                logits = network(patches, *args, **kwargs)
            logits = logits.to(volume.device, torch.float32)
            if total is None:
                total = volume.new_zeros((logits.shape[1], *volume.shape[1:]), dtype=torch.float32)
            for place, patch in zip(batch, logits, strict=True):
                total[(slice(None), *place)].addcmul_(patch, weight.to(patch.device))
                weights[place] += weight
            if self.progress is not None:
                self.progress(min(first + self.batch_size, len(places)), len(places))
        if total is None:
            raise SettingError("a volume without voxels cannot be segmented", found=tuple(volume.shape))
        return total.div_(weights.to(total.device))

    def _importance(self) -> torch.Tensor:
        """How much each voxel of a patch counts: a Gaussian with a sigma of an eighth of the patch, never zero."""
        weight = compute_importance_map(self.patch_size, mode=BlendMode.GAUSSIAN, sigma_scale=0.125, device="cpu")
        weight = weight.float()
        return weight.clamp_(min=max(float(weight[weight > 0].min()), 1e-3))

    def _places(self, shape: Sequence[int]) -> Iterator[tuple[slice, ...]]:
        """The boxes of all patches: a fixed step, the last one flush with the end."""
        starts = []
        for extent, size in zip(shape, self.patch_size, strict=True):
            step = max(1, int(size * (1 - self.overlap)))
            count = 1 if extent <= size else -(-(extent - size) // step) + 1
            starts.append([min(index * step, extent - size) for index in range(count)])
        for corner in product(*starts):
            yield tuple(slice(a, a + size) for a, size in zip(corner, self.patch_size, strict=True))

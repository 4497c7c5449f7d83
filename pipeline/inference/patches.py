"""3D networks over whole volumes: overlapping patches, blended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import torch
from monai.data.utils import compute_importance_map
from monai.utils import BlendMode
from torch.nn import functional

from pipeline.inference.precision import Precision
from pipeline.inference.volume import Network, Progress, VolumeInferer
from transforms.errors import SettingError


class PatchInferer(VolumeInferer):
    """Runs a 3D network over a volume in overlapping patches and blends what they say with a Gaussian.

    Patches lie where MONAI's `SlidingWindowInferer` puts them and weigh as much, so both give the same logits. A
    volume smaller than a patch is padded. The network maps `(N, C, *patch_size)` to logits `(N, K, *patch_size)`.

    Args:
        patch_size: Voxels of a patch along x, y, z.
        overlap: Share of a patch that the next one covers again, in `[0, 1)`.
        batch_size: See :class:`pipeline.inference.VolumeInferer`, as all that follow.
        precision: Number format of the network.
        device: Where the network runs.
        padding_value: Of voxels outside the volume.
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
        progress: Progress | None = None,
    ) -> None:
        super().__init__(
            batch_size=batch_size, precision=precision, device=device, padding_value=padding_value, progress=progress
        )
        if not 0 <= overlap < 1:
            raise SettingError(
                "the overlap of patches cannot be used", where="overlap", found=overlap, expected="0 to below 1"
            )
        self.patch_size = tuple(int(size) for size in patch_size)
        self.overlap = overlap

    def _logits(self, volume: torch.Tensor, network: Network) -> torch.Tensor:
        shape = volume.shape[1:]
        padding = [max(0, size - extent) for size, extent in zip(self.patch_size, shape, strict=True)]
        if any(padding):
            sides = [side for pad in reversed(padding) for side in (pad // 2, pad - pad // 2)]
            volume = functional.pad(volume, sides, value=self.padding_value)
        inside = tuple(slice(pad // 2, pad // 2 + extent) for pad, extent in zip(padding, shape, strict=True))
        return self._blend(volume, network)[(slice(None), *inside)]

    def _blend(self, volume: torch.Tensor, network: Network) -> torch.Tensor:
        """Logits of a volume that is at least as large as a patch."""
        weight = self._importance().to(volume.device)
        places = list(self._places(volume.shape[1:]))
        total: torch.Tensor | None = None
        weights = torch.zeros(volume.shape[1:], device=volume.device)
        for first in range(0, len(places), self.batch_size):
            batch = places[first : first + self.batch_size]
            logits = self._run(network, torch.stack([volume[(slice(None), *place)] for place in batch]), volume.device)
            if total is None:
                total = volume.new_zeros((logits.shape[1], *volume.shape[1:]), dtype=torch.float32)
            for place, patch in zip(batch, logits, strict=True):
                total[(slice(None), *place)].addcmul_(patch, weight)
                weights[place] += weight
            self._tell(first + self.batch_size, len(places))
        if total is None:
            raise SettingError("a volume without voxels cannot be segmented", found=tuple(volume.shape))
        return total.div_(weights)

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

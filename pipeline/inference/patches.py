"""3D networks over whole volumes: overlapping patches, blended."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from monai.data.utils import compute_importance_map
from monai.utils import BlendMode
from torch.nn import functional

from pipeline.inference.blending import Blend
from pipeline.inference.placement import covering, lattice
from pipeline.inference.precision import Precision
from pipeline.inference.volume import Mask, Network, Progress, VolumeInferer
from transforms.errors import SettingError
from transforms.grids.restoring import Activation


class PatchInferer(VolumeInferer):
    """Runs a 3D network over a volume in overlapping patches and blends what they say with a Gaussian.

    Over a whole volume patches lie where MONAI's `SlidingWindowInferer` puts them and weigh as much, so both give the
    same logits. A volume smaller than a patch is padded. The network maps `(N, C, *patch_size)` to logits
    `(N, K, *patch_size)`.

    Args:
        patch_size: Voxels of a patch along x, y, z.
        overlap: Share of a patch that the next one covers again, in `[0, 1)`.
        batch_size: See :class:`pipeline.inference.VolumeInferer`, as all that follow but `half` and `activation`.
        precision: Number format of the network.
        half: Give the logits as float16, in half the memory.
        device: Where the network runs.
        padding_value: Of voxels outside the volume.
        within: Key of a mask in the volume's meta: as few patches as hold it are spread over it, and where none lies
            is background.
        activation: What the logits are made for; says what background is where no patch lies.
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
        half: bool = False,
        device: torch.device | str | None = None,
        padding_value: float = 0.0,
        within: str | None = None,
        activation: Activation = "softmax",
        progress: Progress | None = None,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            precision=precision,
            device=device,
            padding_value=padding_value,
            within=within,
            progress=progress,
        )
        if not 0 <= overlap < 1:
            raise SettingError(
                "the overlap of patches cannot be used", where="overlap", found=overlap, expected="0 to below 1"
            )
        self.patch_size = tuple(int(size) for size in patch_size)
        self.overlap = overlap
        self.half = half
        self.activation = activation

    def _logits(self, volume: torch.Tensor, network: Network, mask: Mask | None) -> torch.Tensor:
        shape = volume.shape[1:]
        padding = [max(0, size - extent) for size, extent in zip(self.patch_size, shape, strict=True)]
        if any(padding):
            sides = [(pad // 2, pad - pad // 2) for pad in padding]
            flat = [side for pair in reversed(sides) for side in pair]
            volume = functional.pad(volume, flat, value=self.padding_value)
            mask = None if mask is None else np.pad(mask, sides)
        inside = tuple(slice(pad // 2, pad // 2 + extent) for pad, extent in zip(padding, shape, strict=True))
        return self._blend(volume, network, mask)[(slice(None), *inside)]

    def _blend(self, volume: torch.Tensor, network: Network, mask: Mask | None) -> torch.Tensor:
        """Logits of a volume that is at least as large as a patch."""
        blend = Blend(
            volume.shape[1:],
            self._importance().to(volume.device),
            dtype=torch.float16 if self.half else torch.float32,
            has_background=self.activation == "softmax",
        )
        if mask is None or not mask.any():
            places = lattice(volume.shape[1:], self.patch_size, self.overlap)
        else:
            places = covering(mask, self.patch_size, self.overlap)
        for first in range(0, len(places), self.batch_size):
            batch = places[first : first + self.batch_size]
            logits = self._run(network, torch.stack([volume[(slice(None), *place)] for place in batch]), volume.device)
            for place, patch in zip(batch, logits, strict=True):
                blend.add(place, patch)
            self._tell(first + self.batch_size, len(places))
        return blend.result()

    def _importance(self) -> torch.Tensor:
        """How much each voxel of a patch counts: a Gaussian with a sigma of an eighth of the patch, never zero."""
        weight = compute_importance_map(self.patch_size, mode=BlendMode.GAUSSIAN, sigma_scale=0.125, device="cpu")
        weight = weight.float()
        return weight.clamp_(min=max(float(weight[weight > 0].min()), 1e-3))

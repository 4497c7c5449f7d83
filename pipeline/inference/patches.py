"""3D networks over whole volumes: overlapping patches, blended."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.data.utils import compute_importance_map
from monai.utils import BlendMode
from torch import nn
from torch.nn import functional

from pipeline.inference.backends import BackendName
from pipeline.inference.blending import Blend, leave_alone
from pipeline.inference.ferrying import Upload
from pipeline.inference.looks import Looks
from pipeline.inference.placement import Place, Placement, check_placement, places_in, searched_box, searched_mask
from pipeline.inference.precision import Precision
from pipeline.inference.volume import Progress, Runner, VolumeInferer
from transforms.grids import PatchLattice
from transforms.grids.lattice import MIN_WEIGHT, SIGMA_SHARE
from transforms.grids.restoring import Activation


class PatchInferer(VolumeInferer):
    """Runs a 3D network over a volume in overlapping patches and blends what they say with a Gaussian.

    Over a whole volume patches lie where MONAI's `SlidingWindowInferer` puts them and weigh as much, so both give the
    same logits. A volume smaller than a patch is padded. The network maps `(N, C, *patch_size)` to logits
    `(N, K, *patch_size)`.

    Args:
        patch_size: Voxels of a patch along x, y, z.
        overlap: Share of a patch that the next one covers again, in `[0, 1)`.
        min_weight: With a mask: which patches of the lattice have a say in it, see
            :class:`transforms.grids.PatchLattice`.
        batch_size: See :class:`pipeline.inference.VolumeInferer`, as all that follow but those named here.
        precision: Number format of the network.
        half: Gather the logits, and give them, as float16, in half the memory.
        device: Where the network runs.
        padding_value: Of voxels outside the volume.
        backend: What computes the network.
        within: Key of the volume's meta with a mask (a `MetaTensor` `(1, X, Y, Z)` on a grid with the same axes, such
            as :class:`transforms.RegionOfInterestd` leaves). What lies outside may be left out as background. Without
            such an entry all is searched.
        placement: With a mask, `lattice` takes those patches of the whole volume that say something in the mask, so
            that what they say there is the same; `adaptive` takes about a third of these, and those others that have
            a say where something is found (:class:`pipeline.inference.looks.Looks`), also without a mask; `fewest`
            spreads as few as hold the mask.
        activation: What the logits are made for; says what background is where no patch lies.
        flips: Test-time augmentation: axes along which each view of a part is mirrored (0 is x); logits are averaged.
        progress: Called with the number of patches done and the total.

    Raises:
        SettingError: When the overlap or the least weight is out of its range, or a precision, backend or placement is
            unknown.
    """

    def __init__(
        self,
        patch_size: Sequence[int],
        *,
        overlap: float = 0.5,
        min_weight: float = MIN_WEIGHT,
        batch_size: int = 4,
        precision: Precision = "auto",
        half: bool = False,
        device: torch.device | str | None = None,
        padding_value: float = 0.0,
        backend: BackendName = "auto",
        within: str | None = None,
        placement: Placement = "lattice",
        activation: Activation = "softmax",
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
        size = tuple(int(size) for size in patch_size)
        self.patches = PatchLattice(patch_size=size, overlap=overlap, min_weight=min_weight)
        self.half = half
        self.within = within
        self.placement = check_placement(placement)
        self.activation = activation

    def _part_shape(self, network: nn.Module) -> tuple[int, ...] | None:
        kernels = [weight for weight in network.parameters() if weight.ndim == 5]
        return (kernels[0].shape[1], *self.patches.patch_size) if kernels else None

    def _logits(self, volume: torch.Tensor, run: Runner, gather: torch.device) -> torch.Tensor:
        places = places_in(volume, self.patches, self.within, self.placement)
        voxels, shape = volume.as_subclass(torch.Tensor), volume.shape[1:]
        padding = [max(0, size - extent) for size, extent in zip(self.patches.patch_size, shape, strict=True)]
        if any(padding):
            flat = [side for pad in reversed(padding) for side in (pad // 2, pad - pad // 2)]
            voxels = functional.pad(voxels, flat, value=self.padding_value)
        inside = tuple(slice(pad // 2, pad // 2 + extent) for pad, extent in zip(padding, shape, strict=True))
        shape = voxels.shape[1:]
        blend = Blend(
            shape,
            self._importance().to(gather),
            dtype=torch.float16 if self.half else torch.float32,
            has_background=self.activation == "softmax",
        )
        upload = Upload(voxels, gather)
        if self.placement == "adaptive":
            searched = searched_mask(volume, self.within, shape)
            self._look_again(places, blend, upload, run, None if searched is None else searched.to(gather))
        else:
            self._look(places, blend, upload, run, total=len(places))
        logits = blend.result()[(slice(None), *inside)]
        box = searched_box(volume, self.within)
        if box is not None:
            # Patches reach beyond what is searched; what they say there depends on which patches there are.
            leave_alone(logits, box, has_background=self.activation == "softmax")
        return logits

    def _look_again(
        self,
        places: Sequence[Place],
        blend: Blend,
        upload: Upload,
        run: Runner,
        searched: torch.Tensor | None,
    ) -> None:
        """Blends the patches of a first look, and those others that have a say where something is found."""
        looks = Looks(places, self.patches, blend.shape)
        now, done, total = looks.first, 0, len(places)
        while now:
            self._look(now, blend, upload, run, total=total, before=done)
            done += len(now)
            now = looks.next(blend.unclear(searched))
            total = done + len(now)

    def _look(
        self, places: Sequence[Place], blend: Blend, upload: Upload, run: Runner, *, total: int, before: int = 0
    ) -> None:
        """Blends patches."""
        parts = (upload.until(place[0].stop)[(slice(None), *place)] for place in places)
        for place, logits in zip(places, run(parts, total, before=before), strict=True):
            blend.add(place, logits.to(blend.weight.device))

    def _importance(self) -> torch.Tensor:
        """How much each voxel of a patch counts: a Gaussian with a sigma of an eighth of the patch, never zero."""
        size = self.patches.patch_size
        weight = compute_importance_map(size, mode=BlendMode.GAUSSIAN, sigma_scale=SIGMA_SHARE, device="cpu").float()
        return weight.clamp_(min=max(float(weight[weight > 0].min()), 1e-3))

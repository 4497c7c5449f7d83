"""A patch out of volumes, all of them sampled at the same positions: on the CPU by gathering, elsewhere by PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch.nn import functional

from transforms.augmentation.gathering import gather
from transforms.augmentation.positions import Positions

Mode = Literal["linear", "bilinear", "nearest"]
"""Interpolation: `linear` (which MONAI calls `bilinear`), or `nearest` for label maps."""


def sample_patches(
    volumes: Sequence[torch.Tensor], positions: Positions, modes: Sequence[Mode], outside: Sequence[float]
) -> list[torch.Tensor]:
    """Samples volumes on one grid at the same positions.

    Args:
        volumes: Each `(C, X, Y, Z)`, any dtype, all on one device.
        positions: Where they are sampled.
        modes: Of each volume.
        outside: What stands outside of each volume.

    Returns:
        `(C, *patch_size)` each: in the volume's dtype for `nearest` and for floating point, else float32.
    """
    if volumes[0].device.type == "cpu":
        return gather(volumes, positions, [mode == "nearest" for mode in modes], outside)
    grid = positions.dense(volumes[0].device)[None]
    return [
        grid_sample(volume[None], grid, mode=mode, outside=value)[0]
        for volume, mode, value in zip(volumes, modes, outside, strict=True)
    ]


def grid_sample(volumes: torch.Tensor, positions: torch.Tensor, *, mode: Mode, outside: float) -> torch.Tensor:
    """PyTorch's own sampling, in voxels.

    Args:
        volumes: `(B, C, X, Y, Z)`.
        positions: `(B, 3, I, J, K)` float32, in voxels of the volumes.
        mode: Interpolation.
        outside: What stands outside of the volumes.

    Returns:
        `(B, C, I, J, K)`, dtypes as in :func:`sample_patches`.
    """
    size = torch.tensor(volumes.shape[2:]).to(volumes.device, non_blocking=True).reshape(3, 1, 1, 1)
    # Its convention: -1 and 1 are the outer edges of the first and last voxel, last index first.
    grid = ((positions * 2 + 1) / size - 1).flip(1).permute(0, 2, 3, 4, 1)
    values = volumes.float()
    patches = functional.grid_sample(
        values - outside if outside else values,
        grid,
        mode="nearest" if mode == "nearest" else "bilinear",
        padding_mode="zeros",
        align_corners=False,
    )
    keep = mode == "nearest" or volumes.is_floating_point()
    return (patches.add_(outside) if outside else patches).to(volumes.dtype if keep else torch.float32)

"""Where the voxels of a deformed patch are sampled, as one tensor-product spline that is evaluated block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from transforms.augmentation.deformation import Deformation

BLOCK_VOXELS = 65536
"""Voxels that are evaluated at a time: few enough that what is made of them stays in the processor's cache."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Positions:
    """The sampled place of every voxel of a patch, in voxels of the volume.

    B-splines reproduce straight lines, so the affine part needs no term of its own: the nodes are the control points
    after the whole deformation. Dense coordinates are three small matrix products.

    Attributes:
        nodes: `(3, I, J, K)` voxel positions of the control points.
        bases: For each axis, the weights `(voxels, nodes)` of the control points.
        low: `(3,)` a lower bound of all positions.
        high: `(3,)` an upper bound of all positions.
    """

    nodes: NDArray[np.float64]
    bases: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        deformation: Deformation,
        patch_size: Sequence[int],
        spacing_mm: ArrayLike,
        centre: ArrayLike,
    ) -> Positions:
        """The positions of a patch.

        Args:
            deformation: How the patch is deformed.
            patch_size: Its voxels.
            spacing_mm: Of the volume and the patch.
            centre: Of the patch in the volume, in voxels.
        """
        spacing = np.asarray(spacing_mm, dtype=np.float64)
        half = (np.asarray(patch_size) - 1) / 2 * spacing
        counts = (1, 1, 1) if deformation.control_mm is None else deformation.control_mm.shape[1:]
        axes = [
            _line(size, edge) if count == 1 else _cubic(size, edge, count, deformation.control_spacing_mm)
            for size, edge, count in zip(patch_size, half, counts, strict=True)
        ]
        nodes = np.stack(np.meshgrid(*(places for places, _ in axes), indexing="ij"))
        moved = np.zeros(3)
        if deformation.control_mm is not None:
            nodes = nodes + deformation.control_mm
            moved = np.abs(deformation.control_mm).reshape(3, -1).max(axis=1)
        nodes = np.tensordot(deformation.matrix, nodes, axes=1)
        middle = np.asarray(centre, dtype=np.float64) + deformation.translation_mm / spacing
        reach = np.abs(deformation.matrix) @ (half + moved) / spacing
        return cls(
            nodes=nodes / spacing.reshape(3, 1, 1, 1) + middle.reshape(3, 1, 1, 1),
            bases=(axes[0][1], axes[1][1], axes[2][1]),
            low=middle - reach,
            high=middle + reach,
        )

    @property
    def patch_size(self) -> tuple[int, int, int]:
        """Voxels of the patch."""
        x, y, z = (len(basis) for basis in self.bases)
        return x, y, z

    def blocks(self, origin: NDArray[np.float64]) -> Iterator[tuple[slice, torch.Tensor]]:
        """Runs of planes along the first axis, and their positions `(planes, 3, J, K)` off an origin, as float32."""
        first, second, last = self.bases
        nodes = torch.from_numpy(self.nodes - origin.reshape(3, 1, 1, 1)).float()
        rows = torch.tensordot(torch.tensordot(nodes, first, dims=([1], [1])), second, dims=([1], [1]))
        rows = rows.permute(2, 0, 3, 1).contiguous()  # (X, 3, Y, K)
        planes = max(1, BLOCK_VOXELS // (len(second) * len(last)))
        for start in range(0, len(first), planes):
            block = rows[start : start + planes]
            yield slice(start, start + len(block)), block @ last.T

    def dense(self, device: torch.device | str | None = None) -> torch.Tensor:
        """All positions, `(3, X, Y, Z)` float32, evaluated on a device."""
        nodes = torch.from_numpy(self.nodes).float().to(device, non_blocking=True)
        first, second, last = (basis.to(device, non_blocking=True) for basis in self.bases)
        rows = torch.einsum("cijk,xi->cxjk", nodes, first)
        planes = torch.einsum("cxjk,yj->cxyk", rows, second)
        return torch.einsum("cxyk,zk->cxyz", planes, last)


def _line(size: int, edge_mm: float) -> tuple[NDArray[np.float64], torch.Tensor]:
    """Nodes at both ends of an axis that is not bent, and the weights of its voxels."""
    if size == 1:
        return np.zeros(1), torch.ones((1, 1))
    share = torch.linspace(0, 1, size)
    return np.array([-edge_mm, edge_mm]), torch.stack([1 - share, share], dim=1)


def _cubic(size: int, edge_mm: float, count: int, spacing_mm: float) -> tuple[NDArray[np.float64], torch.Tensor]:
    """Centred nodes of a uniform cubic B-spline, and the weights of an axis' voxels."""
    places: NDArray[np.float64] = (np.arange(count, dtype=np.float64) - (count - 1) / 2) * spacing_mm
    offset = (np.linspace(-edge_mm, edge_mm, size)[:, None] - places) / spacing_mm
    away = np.abs(offset)
    near = 2 / 3 - away**2 + away**3 / 2
    far = np.clip(2 - away, 0, None) ** 3 / 6
    return places, torch.from_numpy(np.where(away < 1, near, far)).float()

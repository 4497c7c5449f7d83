"""Affine and elastic deformation as one displacement: drawn first, applied by sampling once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from transforms.errors import SettingError

LARGEST_MAGNITUDE = 0.4
"""Largest displacement of a B-spline control point, in control spacings, that cannot fold (Choi and Lee 2000)."""


@dataclass(frozen=True, kw_only=True)
class DeformationRanges:
    """How far a deformation may go. Every parameter is drawn uniformly between minus and plus its range.

    Attributes:
        rotation_degrees: About the x, y and z axis.
        scale: Relative change of size along each axis, on a logarithmic scale: 0.2 is from 1/1.2 to 1.2 times.
        shear: Tangent of the shear angle between axes.
        elastic_mm: Displacement of the control points of the elastic field.
        elastic_spacing_mm: Distance of the control points.
        in_plane: Deforms axial slices only, each slice of a slab alike: for 2.5D.
    """

    rotation_degrees: tuple[float, float, float] = (15.0, 15.0, 15.0)
    scale: float = 0.2
    shear: float = 0.05
    elastic_mm: float = 6.0
    elastic_spacing_mm: float = 40.0
    in_plane: bool = False

    def __post_init__(self) -> None:
        """Refuses a field that could fold."""
        if self.elastic_mm > LARGEST_MAGNITUDE * self.elastic_spacing_mm:
            raise SettingError(
                "the elastic field could fold",
                where="elastic_mm",
                found=f"{self.elastic_mm} mm with control points every {self.elastic_spacing_mm} mm",
                expected=f"at most {LARGEST_MAGNITUDE} of their distance",
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class Deformation:
    """One drawn deformation of a patch.

    Attributes:
        matrix: `(3, 3)`, from millimetres off the patch's centre to millimetres off the sampled place.
        control_mm: `(3, I, J, K)` displacement of the control points of a uniform cubic B-spline, or `None`.
        control_spacing_mm: Distance of the control points.
    """

    matrix: NDArray[np.float64]
    control_mm: NDArray[np.float64] | None
    control_spacing_mm: float

    def offsets_mm(self, patch_size: Sequence[int], spacing_mm: Sequence[float]) -> torch.Tensor:
        """Where each voxel of a patch is sampled: `(3, X, Y, Z)` float32 millimetres from the sampled centre."""
        axes = [
            torch.as_tensor((np.arange(size) - (size - 1) / 2) * spacing, dtype=torch.float32)
            for size, spacing in zip(patch_size, spacing_mm, strict=True)
        ]
        matrix = torch.as_tensor(self.matrix, dtype=torch.float32)
        parts = [matrix[:, axis, None] * axes[axis].reshape(1, -1) for axis in range(3)]
        offsets = parts[0][:, :, None, None] + parts[1][:, None, :, None] + parts[2][:, None, None, :]
        if self.control_mm is not None:
            field = torch.as_tensor(self.control_mm, dtype=torch.float32)
            for axis in range(3):
                basis = _bspline_basis(axes[axis], field.shape[1], self.control_spacing_mm)
                field = torch.tensordot(field, basis, dims=([1], [1]))
            offsets += field
        return offsets


def _bspline_basis(positions_mm: torch.Tensor, count: int, spacing_mm: float) -> torch.Tensor:
    """Weights `(len(positions), count)` of centred uniform cubic B-spline control points."""
    if count == 1:
        return torch.ones((len(positions_mm), 1))
    centres = (torch.arange(count) - (count - 1) / 2) * spacing_mm
    t = (positions_mm[:, None] - centres) / spacing_mm
    near = 2 / 3 - t**2 + t.abs() ** 3 / 2
    far = (2 - t.abs()).clamp(min=0) ** 3 / 6
    return torch.where(t.abs() < 1, near, far)


def draw_deformation(
    random: np.random.RandomState, ranges: DeformationRanges, extent_mm: Sequence[float]
) -> Deformation:
    """Draws a deformation for a patch of an extent."""
    in_plane = ranges.in_plane
    angles = np.deg2rad(ranges.rotation_degrees) * random.uniform(-1, 1, 3)
    scales = np.exp(np.log1p(ranges.scale) * (random.uniform(-1, 1) + 0.3 * random.uniform(-1, 1, 3)) / 1.3)
    shear = np.eye(3)
    shear[~np.eye(3, dtype=bool)] = ranges.shear * random.uniform(-1, 1, 6)
    if in_plane:
        angles[:2], scales[2] = 0, 1
        shear[2, :2] = shear[:2, 2] = 0
    control = None
    if ranges.elastic_mm > 0:
        # Two points beyond either end, so that the spline is complete over the whole patch.
        counts = [int(np.ceil(extent / ranges.elastic_spacing_mm)) + 4 for extent in extent_mm]
        if in_plane:
            counts[2] = 1
        control = ranges.elastic_mm * random.uniform(-1, 1, (3, *counts))
        if in_plane:
            control[2] = 0
    matrix = _rotation(angles) @ np.diag(scales) @ shear
    return Deformation(matrix=matrix, control_mm=control, control_spacing_mm=ranges.elastic_spacing_mm)


def _rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        turn = np.eye(3)
        one, two = (axis + 1) % 3, (axis + 2) % 3
        turn[one, one] = turn[two, two] = np.cos(angle)
        turn[one, two], turn[two, one] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix


def sample_patch(
    volume: torch.Tensor,
    position: torch.Tensor,
    *,
    mode: Literal["linear", "nearest"] = "linear",
    padding_value: float = 0.0,
) -> torch.Tensor:
    """Samples a volume at voxel positions.

    Only the box that the positions span is read.

    Args:
        volume: `(C, X, Y, Z)`.
        position: `(3, I, J, K)` float32 voxel indices.
        mode: `linear`, or `nearest` for label maps.
        padding_value: What stands outside the volume.

    Returns:
        `(C, I, J, K)` in the volume's dtype.
    """
    low = [max(0, int(position[axis].min())) for axis in range(3)]
    high = [min(volume.shape[axis + 1], int(position[axis].max()) + 2) for axis in range(3)]
    if any(a >= b for a, b in zip(low, high, strict=True)):
        return volume.new_full((volume.shape[0], *position.shape[1:]), padding_value)
    box = volume[(slice(None), *(slice(a, b) for a, b in zip(low, high, strict=True)))]
    size = torch.tensor(box.shape[1:]).reshape(3, 1, 1, 1)
    origin = torch.tensor(low).reshape(3, 1, 1, 1)
    # In the convention of grid_sample: -1 and 1 are the outer edges of the first and last voxel, last index first.
    grid = ((position - origin) * 2 + 1).div_(size).sub_(1).flip(0).permute(1, 2, 3, 0)
    patch = functional.grid_sample(
        box[None].float() - padding_value,
        grid[None],
        mode="bilinear" if mode == "linear" else "nearest",
        padding_mode="zeros",
        align_corners=False,
    )[0]
    return patch.add_(padding_value).to(volume.dtype)

"""Random changes of a batch of slices on its own device: one resampling, one change of window, blur, noise, holes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch.nn import functional

from transforms.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class ChangeRanges:
    """How far each random change goes; 0 leaves it out.

    Attributes:
        rotation_degrees: Largest rotation either way.
        zoom: Largest enlargement or reduction, as a share; 0.2 is 1/1.2 to 1.2.
        aspect: Largest change of the ratio of sides, as a share.
        shear: Largest shear either way.
        translation: Largest shift, as a share of the sides.
        elastic: Standard deviation of the control points' displacement, as a share of the sides.
        elastic_points: Control points along each side.
        flip: Share of the slices that are mirrored from left to right.
        window: Largest shift of either end of the gray window, as a share of it: pictures come in windows that nobody
            recorded.
        gamma: Largest exponent of the grays, less one.
        blur: Largest standard deviation of a Gaussian blur, in pixels.
        noise: Largest standard deviation of Gaussian noise, as a share of the window.
        holes: Squares that are set to 0 (cutout, DeVries and Taylor 2017).
        hole_size: Side of a hole, as a share of the sides.
        prob: Share of the slices that the shape, the grays, blur and noise are each changed of.

    Raises:
        SettingError: When a setting is out of range.
    """

    rotation_degrees: float = 15.0
    zoom: float = 0.2
    aspect: float = 0.15
    shear: float = 0.1
    translation: float = 0.08
    elastic: float = 0.03
    elastic_points: int = 5
    flip: float = 0.5
    window: float = 0.2
    gamma: float = 0.4
    blur: float = 1.0
    noise: float = 0.05
    holes: int = 0
    hole_size: float = 0.15
    prob: float = 0.8

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 0:
                raise SettingError(
                    "a random change is out of range", where=field.name, found=getattr(self, field.name),
                    expected="0 or more",
                )  # fmt: skip
        if self.window >= 0.5 or self.elastic_points < 4:
            raise SettingError(
                "a random change is out of range", where="window, elastic_points",
                found=f"{self.window:g}, {self.elastic_points}", expected="below 0.5, and at least 4",
            )  # fmt: skip

    @classmethod
    def of(cls, settings: ChangeRanges | Mapping[str, Any]) -> ChangeRanges:
        """The ranges of a config's mapping."""
        return settings if isinstance(settings, ChangeRanges) else cls(**settings)


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What was drawn for each slice of a batch.

    Attributes:
        matrix: `(B, 2, 3)` from the result's positions to the slice's, in -1 to 1, as torch's `affine_grid` has it.
        displacement: `(B, 2, P, P)` of the control points, in the same unit; `None` for none.
        low: `(B,)` gray that becomes black.
        high: `(B,)` gray that becomes white.
        gamma: `(B,)` exponent of the grays.
        blur: `(B,)` standard deviation, pixels.
        noise: `(B,)` standard deviation.
        noise_seed: Of the noise.
        holes: `(B, N, 2)` centres, as shares of rows and columns.
    """

    matrix: torch.Tensor
    displacement: torch.Tensor | None
    low: torch.Tensor
    high: torch.Tensor
    gamma: torch.Tensor
    blur: torch.Tensor
    noise: torch.Tensor
    noise_seed: int
    holes: torch.Tensor


def draw_changes(ranges: ChangeRanges, count: int, generator: torch.Generator) -> Changes:
    """Draws changes for `count` slices.

    Args:
        ranges: How far they go.
        count: Slices.
        generator: On the CPU, whatever device the slices are on: a seed gives the same changes everywhere.
    """

    def either_way(largest: float, *shape: int) -> torch.Tensor:
        return largest * (2 * torch.rand((count, *shape), generator=generator) - 1)

    def chosen(*shape: int) -> torch.Tensor:
        return (torch.rand((count, *shape), generator=generator) < ranges.prob).float()

    def factor(largest: float) -> torch.Tensor:
        return torch.exp(either_way(math.log1p(largest)))

    still = torch.eye(2, 3).expand(count, 2, 3)
    angle, zoom, aspect = either_way(math.radians(ranges.rotation_degrees)), factor(ranges.zoom), factor(ranges.aspect)
    shear, shift = either_way(ranges.shear), either_way(2 * ranges.translation, 2)
    across, along = zoom * aspect.sqrt(), zoom / aspect.sqrt()
    matrix = torch.stack(
        [
            torch.stack([across * angle.cos(), across * (shear - angle.sin()), shift[:, 0]], dim=1),
            torch.stack([along * angle.sin(), along * angle.cos(), shift[:, 1]], dim=1),
        ],
        dim=1,
    )
    moved = chosen(1, 1)
    matrix = moved * matrix + (1 - moved) * still
    mirrored = torch.rand(count, generator=generator) < ranges.flip
    matrix[mirrored, :, 0] *= -1
    points = ranges.elastic_points
    displacement = torch.randn((count, 2, points, points), generator=generator) * 2 * ranges.elastic * chosen(1, 1, 1)
    grays = chosen()
    return Changes(
        matrix=matrix,
        displacement=displacement if ranges.elastic else None,
        low=either_way(ranges.window) * grays,
        high=1 + either_way(ranges.window) * grays,
        gamma=factor(ranges.gamma) ** grays,
        blur=ranges.blur * torch.rand(count, generator=generator) * chosen(),
        noise=ranges.noise * torch.rand(count, generator=generator) * chosen(),
        noise_seed=int(torch.randint(2**31, (1,), generator=generator)),
        holes=torch.rand((count, ranges.holes, 2), generator=generator),
    )


def apply_changes(images: torch.Tensor, drawn: Changes, hole_size: float = 0.15) -> torch.Tensor:
    """The slices with what was drawn for them.

    Args:
        images: `(B, C, H, W)`, 0 to 1 where windows are scaled so; not changed.
        drawn: For as many slices.
        hole_size: Side of a hole, as a share of the sides.

    Returns:
        `(B, C, H, W)`. What comes in from beyond the edge is 0.
    """
    done = _moved(images, drawn)
    shape, device = (-1, 1, 1, 1), images.device
    low, high = drawn.low.to(device).view(shape), drawn.high.to(device).view(shape)
    done = ((done - low) / (high - low)).clamp_(0, 1) ** drawn.gamma.to(device).view(shape)
    done = _blurred(done, drawn.blur.to(device))
    if float(drawn.noise.max()) > 0:
        generator = torch.Generator(device).manual_seed(drawn.noise_seed)
        noise = torch.randn(done.shape, generator=generator, device=device, dtype=done.dtype)
        done = (done + noise * drawn.noise.to(device).view(shape)).clamp_(0, 1)
    return _with_holes(done, drawn.holes.to(device), hole_size)


def _moved(images: torch.Tensor, drawn: Changes) -> torch.Tensor:
    size = list(images.shape)
    grid = functional.affine_grid(drawn.matrix.to(images), size, align_corners=False)
    if drawn.displacement is not None:
        dense = functional.interpolate(drawn.displacement.to(images), size=size[2:], mode="bicubic", align_corners=True)
        grid = grid + dense.movedim(1, -1)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _blurred(images: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Blurs each slice by its own Gaussian, along rows and columns in turn."""
    largest = float(sigma.max())
    if largest <= 0:
        return images
    reach = max(1, math.ceil(3 * largest))
    places = torch.arange(-reach, reach + 1, device=images.device, dtype=images.dtype)
    kernels = torch.exp(-0.5 * (places / sigma.clamp_min(1e-3)[:, None]) ** 2)
    kernels = kernels / kernels.sum(dim=1, keepdim=True)
    count, channels, rows, columns = images.shape
    weights = kernels.repeat_interleave(channels, dim=0)
    flat = images.reshape(1, count * channels, rows, columns)
    for shape, pad in (
        ((-1, 1, 1, 2 * reach + 1), (reach, reach, 0, 0)),
        ((-1, 1, 2 * reach + 1, 1), (0, 0, reach, reach)),
    ):
        padded = functional.pad(flat, pad, mode="replicate")
        flat = functional.conv2d(padded, weights.view(shape), groups=count * channels)
    return flat.view(count, channels, rows, columns)


def _with_holes(images: torch.Tensor, centres: torch.Tensor, size: float) -> torch.Tensor:
    if not centres.shape[1]:
        return images
    rows = (torch.arange(images.shape[2], device=images.device) + 0.5) / images.shape[2]
    columns = (torch.arange(images.shape[3], device=images.device) + 0.5) / images.shape[3]
    of_rows = (rows - centres[..., :1]).abs() < size / 2
    of_columns = (columns - centres[..., 1:]).abs() < size / 2
    inside = (of_rows[..., :, None] & of_columns[..., None, :]).any(dim=1, keepdim=True)
    return images.masked_fill(inside, 0.0)

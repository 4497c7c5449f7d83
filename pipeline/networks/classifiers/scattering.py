"""A classifier of textures: fixed wavelets and a small perceptron, for data sets of a few hundred slices."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn import functional

SIDE = 128
"""Rows and columns at which slices are measured; others are brought to it."""

SCALES = 4
ORIENTATIONS = 6
KERNEL = 9
TONES = 12
GRID = 16
"""Rows and columns of the maps."""

FIELDS = 3
"""Rows and columns of fields whose means are told apart."""

INPUT_DROPOUT = 0.2
"""Share of the measures that training drops."""

_FLOOR = 1e-3


class Scattering(nn.Module):
    """Maps of tones and textures, without anything to learn: a windowed scattering transform (Bruna and Mallat 2013).

    Wavelets of one octave and several orientations run over the slice at its own size and at halves of it; the moduli
    go through the wavelets of the larger scales once more. Orientations are taken together so that a slice that is
    turned a little keeps its maps: of the first order the mean and the largest, of the second the means at equal angles
    between the two. Beside them stand the shares of :data:`TONES` gray tones. All but those are logarithms.
    """

    wavelets: torch.Tensor
    angles: torch.Tensor
    tones: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("wavelets", _wavelets(), persistent=False)
        self.register_buffer("angles", _by_angle(), persistent=False)
        self.register_buffer("tones", torch.linspace(0, 1, TONES).view(1, TONES, 1, 1), persistent=False)

    @property
    def channels(self) -> int:
        """Maps of one channel of the input."""
        return TONES + 2 * SCALES + SCALES * (SCALES - 1) // 2 * self.angles.shape[0]

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Maps `(B, C x channels, GRID, GRID)` of slices `(B, C, H, W)`, grays from 0 to 1."""
        level = functional.interpolate(image.float(), size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        level = level.reshape(-1, 1, SIDE, SIDE)
        width = 0.5 / (TONES - 1)
        tones = _on_grid(torch.exp(-0.5 * ((level - self.tones) / width) ** 2), 0)
        first, second = [], []
        for scale in range(SCALES):
            moduli = self._moduli(level)
            both = torch.cat([moduli.mean(1, keepdim=True), moduli.amax(1, keepdim=True)], 1)
            first.append(_on_grid(both, scale))
            for larger in range(scale + 1, SCALES):
                moduli = functional.avg_pool2d(moduli, 2)
                side = SIDE >> larger
                again = self._moduli(moduli.reshape(-1, 1, side, side)).reshape(-1, ORIENTATIONS**2, side, side)
                second.append(_on_grid(functional.conv2d(again, self.angles), larger))
            level = functional.avg_pool2d(level, 2)
        textures = torch.cat(first + second, dim=1).clamp_min(_FLOOR).log()
        return torch.cat([tones, textures], dim=1).reshape(-1, image.shape[1] * self.channels, GRID, GRID)

    def _moduli(self, level: torch.Tensor) -> torch.Tensor:
        padded = functional.pad(level, (KERNEL // 2,) * 4, mode="replicate")
        parts = functional.conv2d(padded, self.wavelets)
        real, imaginary = parts.chunk(2, dim=1)
        return (real.square() + imaginary.square() + 1e-8).sqrt()


class Standardise(nn.BatchNorm2d):
    """Mean 0 and deviation 1 of each channel, of `(B, C)` as of `(B, C, H, W)`, with the statistics of training.

    Once trained, it is written out as arithmetic: ONNX has batch norm only where the export knows the channels.

    Args:
        channels: Channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=False)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Standardised values, of the same shape."""
        mean, variance = self.running_mean, self.running_var
        if self.training or mean is None or variance is None:
            return super().forward(values)
        shape = (1, -1) + (1,) * (values.ndim - 2)
        return (values - mean.reshape(shape)) * (variance + self.eps).rsqrt().reshape(shape)

    def _check_input_dim(self, values: torch.Tensor) -> None:
        """Any number of dimensions."""


class ScatteringClassifier(nn.Module):
    """Classifies by a small perceptron over what a scattering transform measures.

    The measures of a slice are the means of its maps in nine fields, and their mean and spread over all of it.

    Args:
        in_channels: Channels of the input.
        out_channels: Logits.
        width: Hidden units.
    """

    thirds: torch.Tensor

    def __init__(self, in_channels: int, out_channels: int, *, width: int = 64) -> None:
        super().__init__()
        self.front = Scattering()
        self.maps = in_channels * self.front.channels
        self.measures = self.maps * (FIELDS**2 + 2)
        self.register_buffer("thirds", _fields(), persistent=False)
        self.standardise_maps = Standardise(self.maps)
        self.standardise = Standardise(self.measures)
        self.hidden = nn.Sequential(nn.Dropout(INPUT_DROPOUT), nn.Linear(self.measures, width), nn.ReLU())
        self.head = nn.Linear(width, out_channels)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits `(B, out_channels)` of slices `(B, C, H, W)`."""
        with _full_precision(image.device):
            # Their number said outright: exports do not follow it through the transform.
            maps = self.standardise_maps(self.front(image).reshape(-1, self.maps, GRID, GRID))
            fields = (self.thirds @ maps @ self.thirds.T).flatten(1)
            measures = torch.cat([fields, maps.mean((2, 3)), maps.flatten(2).std(2)], dim=1)
            logits: torch.Tensor = self.head(self.hidden(self.standardise(measures)))
        return logits


def _full_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Logarithms of small moduli want float32; a device without memory knows no autocast."""
    kind = device.type
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()


def _on_grid(maps: torch.Tensor, scale: int) -> torch.Tensor:
    """Means of the squares of the grid, of maps of a scale."""
    step = (SIDE >> scale) // GRID
    return functional.avg_pool2d(maps, step) if step > 1 else maps


def _fields() -> torch.Tensor:
    """Means over overlapping thirds: `(FIELDS, GRID)`."""
    starts = [number * GRID // FIELDS for number in range(FIELDS)]
    ends = [-(-(number + 1) * GRID // FIELDS) for number in range(FIELDS)]
    places = torch.arange(GRID)
    rows = [
        ((places >= start) & (places < end)).float() / (end - start) for start, end in zip(starts, ends, strict=True)
    ]
    return torch.stack(rows)


def _wavelets() -> torch.Tensor:
    """Morlet wavelets, real parts and then imaginary ones: `(2 x ORIENTATIONS, 1, KERNEL, KERNEL)`."""
    places = torch.arange(KERNEL, dtype=torch.float64) - KERNEL // 2
    rows, columns = torch.meshgrid(places, places, indexing="ij")
    frequency, sigma, slant = 0.6 * math.pi, 1.3, 0.6
    real, imaginary = [], []
    for number in range(ORIENTATIONS):
        angle = math.pi * number / ORIENTATIONS
        along = columns * math.cos(angle) + rows * math.sin(angle)
        across = rows * math.cos(angle) - columns * math.sin(angle)
        bell = torch.exp(-(along**2 + (slant * across) ** 2) / (2 * sigma**2))
        wave = torch.cos(frequency * along) * bell
        wave = wave - bell * wave.sum() / bell.sum()  # nothing of what is flat
        norm = bell.sum()
        real.append(wave / norm)
        imaginary.append(torch.sin(frequency * along) * bell / norm)
    return torch.stack(real + imaginary)[:, None].float()


def _by_angle() -> torch.Tensor:
    """Means over pairs of orientations at equal angles, either way: `(angles, ORIENTATIONS², 1, 1)`."""
    angles = ORIENTATIONS // 2 + 1
    weights = torch.zeros(angles, ORIENTATIONS, ORIENTATIONS)
    for first in range(ORIENTATIONS):
        for second in range(ORIENTATIONS):
            apart = (second - first) % ORIENTATIONS
            weights[min(apart, ORIENTATIONS - apart), first, second] = 1
    return (weights / weights.sum(dim=(1, 2), keepdim=True)).reshape(angles, -1, 1, 1)

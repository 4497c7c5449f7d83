"""What the scanner adds: its table, the blanket, and noise with the texture of a reconstruction kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from pipeline.phantom.shapes import Field

_TABLE_SAG_MM = 1500.0
_TABLE_THICKNESS_MM = 26.0


def table_depth(x: Field, y: Field, back: float) -> Field:
    """How far below the table's upper face each point is, mm; negative above it. `back` is where the patient lies."""
    return np.asarray(back + x * x / np.float32(_TABLE_SAG_MM) - y, dtype=np.float32)


def table_hu(depth: Field) -> tuple[Field, Field]:
    """HU of the mattress and the table's shell, and how much of each voxel they fill, from the depth below its face."""
    mattress = _band(depth, 0.0, 9.0)
    cover = np.maximum(_band(depth, 0.0, 0.8), _band(depth, 8.2, 9.0))
    shell = np.maximum(_band(depth, 10.0, 12.5), _band(depth, _TABLE_THICKNESS_MM, _TABLE_THICKNESS_MM + 2.0))
    core = _band(depth, 12.5, _TABLE_THICKNESS_MM)
    filled = np.maximum(np.maximum(mattress, core), shell)
    hu = -955 + 130 * cover + 15 * core
    return (hu * (1 - shell) + 120 * shell).astype(np.float32), filled


class KernelNoise:
    """Noise whose power spectrum is that of filtered back-projection: a ramp, cut off by the kernel.

    Args:
        rng: Where the noise comes from.
        size: Pixels of a slice (Y, X).
        spacing_mm: Pixel spacing (Y, X).
        sharpness: 0 for a soft kernel to 1 for a sharp one.
    """

    def __init__(
        self, rng: np.random.Generator, size: tuple[int, int], spacing_mm: tuple[float, float], sharpness: float
    ) -> None:
        self._rng = rng
        self._size = size
        fy = fft.fftfreq(size[0], spacing_mm[0])[:, None]
        fx = fft.rfftfreq(size[1], spacing_mm[1])[None, :]
        frequency = np.hypot(fy, fx)
        cutoff = 0.34 + 0.28 * sharpness
        ramp = np.sqrt(frequency + 0.01) * np.exp(-((frequency / cutoff) ** 2))
        along = np.exp(-((fx / (0.35 * np.abs(fy) + 0.02)) ** 2))
        self._round = _unit(ramp)
        self._streaks = _unit(ramp * along)

    def slice(self, streaks: float) -> NDArray[np.float32]:
        """Unit-variance noise of one slice (Y, X); `streaks` is the part of it that lies along the rows, 0 to 1."""
        shape = self._round.shape
        white = self._rng.standard_normal((2, *shape), dtype=np.float32)
        spectrum = np.sqrt((1 - streaks) * self._round**2 + streaks * self._streaks**2)
        noise = fft.irfft2((white[0] + 1j * white[1]) * spectrum, s=self._size)
        return np.asarray(noise * np.float32(np.sqrt(np.prod(self._size)) / np.sqrt(2)), dtype=np.float32)


def _band(depth: Field, low: float, high: float) -> Field:
    return np.asarray(np.clip(np.minimum(depth - low, high - depth) / 0.8 + 0.5, 0, 1), dtype=np.float32)


def _unit(amplitude: NDArray[np.float64]) -> NDArray[np.float32]:
    power = amplitude**2
    power[0, 0] = 0
    # Columns of a half spectrum stand for two, but for the first.
    mean = (2 * power[:, 1:].sum() + power[:, 0].sum()) / (power.shape[0] * (2 * power.shape[1] - 1))
    return np.asarray(np.sqrt(power / mean), dtype=np.float32)

"""What the values of a volume are, from their histogram: Hounsfield units, or something that only looks like CT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from transforms.reading.padding import PADDING_HU, without_padding
from transforms.reading.volume import Voxels
from transforms.reading.voxels import INT16, slices_of

ValueKind = Literal[
    "hu", "not-finite", "padding-only", "normalised", "grey", "shifted", "inverted", "wrapped", "cut-at-zero"
]

SAMPLE_VOXELS = 1 << 18
"""About as many voxels are looked at, in whole rows spread over the volume."""

ENOUGH_VOXELS = 1 << 14
"""In fewer, dense bone beside muscle can look like tissue beside air: they are not suspected of a shift."""

GREY_MAX = 255.0
"""The white of an 8-bit picture."""

_Sample = npt.NDArray[np.float32]
"""Values in ascending order."""
_Band = tuple[float, float]

_AIR: _Band = (-1100.0, -900.0)
_LUNG_TO_FAT: _Band = (-600.0, -300.0)  # hardly any tissue is here: a valley in the histogram of every CT
_SOFT: _Band = (-150.0, 120.0)
_FAT: _Band = (-140.0, -50.0)
_FAT_TO_MUSCLE: _Band = (-45.0, -5.0)
_MUSCLE: _Band = (0.0, 110.0)
_MARROW: _Band = (200.0, 500.0)
_BONE: _Band = (200.0, 3100.0)
_SHIFT_HU = 1024.0
_SHIFTS_HU = (1024.0, 1000.0, -1024.0)  # the usual intercept left out, another, and the usual one applied twice
_UNSIGNED = 1 << 16


@dataclass(frozen=True, kw_only=True)
class ValueVerdict:
    """What the values are, and why."""

    kind: ValueKind
    """`hu` where nothing speaks against Hounsfield units."""
    evidence: str
    """What decided, as a clause."""
    low: float
    """The smallest value."""
    high: float
    """The largest value."""
    air: float | None
    """Where air has its peak, HU; `None` where there is no air, or the values are no HU."""
    soft_tissue: float | None
    """Where soft tissue has its peak, HU; `None` as for `air`."""

    @property
    def found(self) -> str:
        """What the values are, as a clause: "values shifted against HU: air near 25, soft tissue near 1065"."""
        return f"{_SAID[self.kind]}: {self.evidence}"

    @property
    def sentence(self) -> str:
        """The verdict for people."""
        return f"{self.found[0].upper()}{self.found[1:]}."


_SAID: dict[ValueKind, str] = {
    "hu": "Hounsfield units",
    "not-finite": "values that are not numbers",
    "padding-only": "nothing but padding",
    "normalised": "normalised values",
    "grey": "an 8-bit picture or a label map",
    "shifted": "values shifted against Hounsfield units",
    "inverted": "inverted values",
    "wrapped": "negative values stored as unsigned",
    "cut-at-zero": "an image without negative values",
}


def judge_values(array: Voxels) -> ValueVerdict:
    """Judges whether the values of a volume can be Hounsfield units; never to be asked of label maps.

    A CT, or any part of one, is never taken for something else: what is not certain is `hu`. Certain is a range that no
    CT has (0..1, 0..255), and air and soft tissue at the right distance in a wrong place.

    Args:
        array: `(X, Y, Z)`, before padding is replaced. All of it is searched for its range; the rest comes from a
            sample.
    """
    low, high = value_range(array)
    if not np.isfinite(low + high):
        evidence = "NaN" if np.isnan(low + high) else "infinity"
        return ValueVerdict(kind="not-finite", evidence=evidence, low=low, high=high, air=None, soft_tissue=None)
    sample = _sampled(array)
    values = without_padding(sample)
    kind, evidence = _picture(sample, low, high) or _displaced(values) or _cut(sample, low, high) or ("hu", "")
    air, soft = (_peak(values, band) if kind == "hu" else None for band in (_AIR, _SOFT))
    return ValueVerdict(
        kind=kind, evidence=evidence or _places(low, high, air, soft), low=low, high=high, air=air, soft_tissue=soft
    )


def value_range(array: npt.NDArray[Any]) -> tuple[float, float]:
    """The smallest and the largest value; NaN where one is NaN."""
    ranges = [(piece.min(), piece.max()) for piece in slices_of(array)]  # each piece comes into the cache once
    lowest, highest = zip(*ranges, strict=True)
    return float(np.min(lowest)), float(np.max(highest))


def _sampled(array: Voxels) -> _Sample:
    step = int(np.ceil(np.sqrt(array.size / SAMPLE_VOXELS)))
    return np.sort(array[:, ::step, ::step].astype(np.float32), axis=None)


def _picture(sample: _Sample, low: float, high: float) -> tuple[ValueKind, str] | None:
    """What the range alone says."""
    said = f"{low:.4g} to {high:.4g}"
    if high < PADDING_HU:
        return "padding-only", said
    if _is_normalised(sample, low, high):
        return "normalised", said
    if low >= 0 and high <= GREY_MAX and _fills_a_byte(sample, low, high):
        return "grey", said
    return None


def _is_normalised(sample: _Sample, low: float, high: float) -> bool:
    if max(-low, high) > 30 or np.array_equal(sample, np.rint(sample)):
        return False
    mean, std = float(sample.mean()), float(sample.std())
    standard = abs(mean) < 0.1 and abs(std - 1) < 0.1
    hollow = _share(sample, (mean - std / 2, mean + std / 2)) < 0.3  # air on one side, tissue on the other
    return max(-low, high) <= 1.5 or standard or hollow


def _fills_a_byte(sample: _Sample, low: float, high: float) -> bool:
    """Black and white are both there, or much of either: air in a picture, the background of a label map."""
    pure = _share(sample, (0, 0)) + _share(sample, (GREY_MAX, GREY_MAX))
    nearly = _share(sample, (0, 5)) + _share(sample, (GREY_MAX - 5, GREY_MAX))
    return (low == 0 and high == GREY_MAX) or pure > max(0.005, 10 / sample.size) or nearly > 0.03


def _displaced(values: _Sample) -> tuple[ValueKind, str] | None:
    """Air and tissues as in a CT, but elsewhere; `None` at once where they are in their place."""
    if values.size < ENOUGH_VOXELS or _looks_like_ct(values):
        return None
    for shift in _SHIFTS_HU:
        moved = values - np.float32(shift)
        if _is_surely_ct(moved):
            air, soft = _mode(moved, _AIR) + shift, _mode(moved, _SOFT) + shift
            return "shifted", f"air near {air:g}, soft tissue near {soft:g}"
    signed = np.sort(np.where(values > INT16.max, values - _UNSIGNED, values))
    if _is_surely_ct(signed):
        return "wrapped", f"air near {_mode(signed, _AIR) + _UNSIGNED:g}"
    return ("inverted", f"air near {np.quantile(values, 0.99):g}, brighter than bone") if _is_inverted(values) else None


def _is_inverted(values: _Sample) -> bool:
    top = float(np.quantile(values, 0.999))
    upright = (np.float32(top - _SHIFT_HU) - _without_top(values))[::-1]
    like_ct = _looks_like_ct(upright) and _share(upright, _AIR) >= 0.05 and _share(upright, _BONE) >= 0.002
    return like_ct and top > _SHIFT_HU - 150


def _is_surely_ct(values: _Sample) -> bool:
    """Stricter, for values that were moved: fat, muscle, and bone or a dip that a contrast agent alone has not."""
    tissue = _without_top(values)
    fat, muscle, bone = (_share(tissue, band) for band in (_FAT, _MUSCLE, _BONE))
    densest = max(_density(tissue, _FAT), _density(tissue, _MUSCLE))
    mixed = bone >= 0.01 or _density(tissue, _FAT_TO_MUSCLE) <= 0.9 * densest
    sparse_marrow = _density(tissue, _MARROW) <= _density(tissue, _SOFT) / 3
    return _looks_like_ct(tissue) and fat >= 0.01 and muscle >= 0.02 and mixed and sparse_marrow


def _without_top(values: _Sample) -> _Sample:
    """Without the largest value: dense bone that was cut off at one value is no peak of a tissue."""
    return values[: np.searchsorted(values, values[-1], "left")]


def _cut(sample: _Sample, low: float, high: float) -> tuple[ValueKind, str] | None:
    share = _share(sample, (0, 0))
    return ("cut-at-zero", f"{low:g} to {high:g}, {share:.0%} are 0") if low == 0 and share >= 0.05 else None


def _looks_like_ct(values: _Sample) -> bool:
    """Whether there is air, hardly anything darker, soft tissue, and a valley between lung and fat."""
    darker, air, soft = (_share(values, band) for band in ((-np.inf, _AIR[0]), _AIR, _SOFT))
    hollow = _density(values, _LUNG_TO_FAT) <= _density(values, _SOFT) / 4
    return hollow and air >= 0.02 and soft >= 0.05 and darker <= 0.02


def _share(values: _Sample, band: _Band) -> float:
    first, last = np.searchsorted(values, band[0], "left"), np.searchsorted(values, band[1], "right")
    return float(last - first) / max(values.size, 1)


def _density(values: _Sample, band: _Band) -> float:
    """The share of the values in a band, a unit of its width."""
    return _share(values, band) / (band[1] - band[0])


def _peak(values: _Sample, band: _Band) -> float | None:
    """Where a band has its peak; `None` where hardly any value lies in it."""
    return _mode(values, band) if _share(values, band) >= 0.01 else None


def _mode(values: _Sample, band: _Band) -> float:
    counts, edges = np.histogram(values, bins=int(np.ptp(band)) // 10, range=(band[0] - 5, band[1] - 5))
    return float(edges[counts.argmax()]) + 5  # to the nearest 10


def _places(low: float, high: float, air: float | None, soft: float | None) -> str:
    peaks = [f"{name} near {peak:g}" for name, peak in (("air", air), ("soft tissue", soft)) if peak is not None]
    return ", ".join([f"{low:g} to {high:g}", *peaks])

"""HU windows: which range of Hounsfield units a network sees, one channel a window, and how it is scaled."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms import MapTransform, Transform
from numpy.typing import NDArray

from transforms.errors import SettingError

Scaling = Literal["unit", "zscore", "dataset"]
"""`unit`: 0..1 over the window. `zscore`: by the volume's own mean and deviation. `dataset`: by a data set's."""


@dataclass(frozen=True, kw_only=True)
class HUWindow:
    """A range of Hounsfield units; what lies outside is clipped to its ends.

    Attributes:
        low: Lower end in HU.
        high: Upper end in HU.

    Raises:
        SettingError: When an end is not a finite number, or `low` is not below `high`.

    Example:
        >>> HUWindow.from_config({"center": 40, "width": 400})
        HUWindow(low=-160.0, high=240.0)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        for name, value in (("low", self.low), ("high", self.high)):
            object.__setattr__(self, name, _number(name, value))
        if not self.low < self.high:
            raise SettingError(
                "an HU window is empty",
                where="windows",
                found=f"low {self.low:g}, high {self.high:g}",
                expected="low below high (a width above 0)",
            )

    @classmethod
    def from_center_width(cls, center: float, width: float) -> HUWindow:
        """The window of a centre and a full width in HU, as viewers name it."""
        middle, half = _number("center", center), _number("width", width) / 2
        return cls(low=middle - half, high=middle + half)

    @classmethod
    def from_preset(cls, name: str) -> HUWindow:
        """A window by its name, see :data:`PRESETS`.

        Raises:
            SettingError: When there is no window of that name.
        """
        if name not in PRESETS:
            raise SettingError(
                "there is no HU window of this name", where="windows", found=name, expected=", ".join(PRESETS)
            )
        return PRESETS[name]

    @classmethod
    def from_config(cls, form: WindowForm) -> HUWindow:
        """The window that a configuration means: a preset's name, `{center, width}`, `{low, high}`, or a window.

        Raises:
            SettingError: When it is none of these.
        """
        if isinstance(form, HUWindow):
            return form
        if isinstance(form, str):
            return cls.from_preset(form)
        if isinstance(form, Mapping) and set(form) == {"center", "width"}:
            return cls.from_center_width(form["center"], form["width"])
        if isinstance(form, Mapping) and set(form) == {"low", "high"}:
            return cls(low=form["low"], high=form["high"])
        raise SettingError(
            "an HU window cannot be understood",
            where="windows",
            found=dict(form) if isinstance(form, Mapping) else form,
            expected=f"one of {', '.join(PRESETS)}, {{center, width}} or {{low, high}}",
        )


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise SettingError("an intensity is not a number", where=name, found=repr(value), expected="a finite number")
    return float(value)


WindowForm: TypeAlias = str | Mapping[str, float] | HUWindow
"""What a configuration may say for a window."""

PRESETS: dict[str, HUWindow] = {
    "lung": HUWindow(low=-1350, high=150),
    "mediastinum": HUWindow(low=-160, high=240),
    "bone": HUWindow(low=-500, high=1300),
    "lesion": HUWindow(low=-1000, high=300),
}
"""Windows by name: the usual viewing windows (centre/width −600/1500, 40/400, 400/1800), and all from air to enhancing
tissue for networks that look for lesions."""


def parse_windows(forms: WindowForm | Sequence[WindowForm]) -> tuple[HUWindow, ...]:
    """The windows that a configuration means: one, or a list of them.

    Raises:
        SettingError: When there is none, or one cannot be understood.
    """
    several = [forms] if isinstance(forms, str | Mapping | HUWindow) else forms
    windows = tuple(HUWindow.from_config(form) for form in several)
    if not windows:
        raise SettingError("no HU window is given", where="windows", expected="at least one")
    return windows


class HUWindows(Transform):
    """Turns a volume in HU into one clipped and scaled channel a window.

    Makes one float32 array of the output's size and works in it; the input is not changed.

    Args:
        windows: One window or several, each as :meth:`HUWindow.from_config` takes it.
        scaling: `unit` maps each window to 0..1; `zscore` takes the mean and the deviation (of the whole population,
            not a sample) of the clipped volume; `dataset` takes `mean` and `std`.
        mean: HU, one number or one a window; only for `dataset`.
        std: HU, one number or one a window, above 0; only for `dataset`.
        dtype: Of the result.

    Raises:
        SettingError: When a window, the scaling, `mean` or `std` cannot be used.
    """

    def __init__(
        self,
        windows: WindowForm | Sequence[WindowForm] = ("lesion",),
        scaling: Scaling = "unit",
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.windows = parse_windows(windows)
        self.scaling: Scaling = scaling
        self.dtype = dtype
        if scaling not in get_args(Scaling):
            raise SettingError(
                "the scaling is unknown", where="scaling", found=scaling, expected=", ".join(get_args(Scaling))
            )
        if scaling != "dataset" and (mean is not None or std is not None):
            raise SettingError(
                "a mean or deviation is given that would not be used",
                where="scaling",
                found=scaling,
                remedy="Set `scaling: dataset`, or leave out `mean` and `std`",
            )
        numbers = scaling == "dataset"
        self.mean = _one_each("mean", mean, len(self.windows)) if numbers else ()
        self.std = _one_each("std", std, len(self.windows)) if numbers else ()
        if any(value <= 0 for value in self.std):
            raise SettingError("a deviation is not above 0", where="std", found=list(self.std))

    def __call__(self, volume: torch.Tensor | NDArray[Any]) -> torch.Tensor:
        """Returns `(len(windows), *spatial)` from HU `(1, *spatial)`; a `MetaTensor` keeps its meta and affine.

        Raises:
            SettingError: When the volume has not exactly one channel.
        """
        hu = torch.from_numpy(volume) if isinstance(volume, np.ndarray) else volume.as_subclass(torch.Tensor)
        if hu.shape[0] != 1:
            raise SettingError("HU windows need a volume with one channel", found=tuple(hu.shape), expected="(1, …)")
        channels = torch.empty((len(self.windows), *hu.shape[1:]), dtype=torch.float32, device=hu.device)
        for index, window in enumerate(self.windows):
            channels[index].copy_(hu[0]).clamp_(window.low, window.high)
            self._scale(channels[index], index)
        scaled = channels.to(self.dtype)
        if isinstance(volume, MetaTensor):
            return MetaTensor(scaled, meta=dict(volume.meta), applied_operations=volume.applied_operations)
        return scaled

    def _scale(self, channel: torch.Tensor, index: int) -> None:
        """Scales one clipped channel in place."""
        window = self.windows[index]
        if self.scaling == "unit":
            channel.sub_(window.low).div_(window.high - window.low)
        elif self.scaling == "dataset":
            channel.sub_(self.mean[index]).div_(self.std[index])
        else:
            std, mean = torch.std_mean(channel, correction=0)
            # A flat volume has no deviation to divide by: it becomes all zeros.
            channel.sub_(mean).div_(std if std > 0 else 1.0)


class HUWindowsd(MapTransform):
    """Dictionary form of :class:`HUWindows`.

    Args:
        keys: Volumes `(1, X, Y, Z)` or images `(1, H, W)` in HU.
        windows: See :class:`HUWindows`.
        scaling: See :class:`HUWindows`.
        mean: See :class:`HUWindows`.
        std: See :class:`HUWindows`.
        dtype: See :class:`HUWindows`.
        allow_missing_keys: Passes over keys that are not there.
    """

    def __init__(
        self,
        keys: KeysCollection,
        windows: WindowForm | Sequence[WindowForm] = ("lesion",),
        scaling: Scaling = "unit",
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        dtype: torch.dtype = torch.float32,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.to_windows = HUWindows(windows, scaling, mean, std, dtype)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with each volume windowed and scaled."""
        windowed = dict(data)
        for key in self.key_iterator(windowed):
            windowed[key] = self.to_windows(windowed[key])
        return windowed


def _one_each(name: str, values: float | Sequence[float] | None, count: int) -> tuple[float, ...]:
    if values is None:
        raise SettingError(
            f"scaling by a data set needs its {name}", where=name, remedy="`ctvol intensities DATA` measures it"
        )
    several = list(values) if isinstance(values, Sequence) else [values] * count
    if len(several) != count:
        raise SettingError(
            f"{name} does not fit the windows", where=name, found=f"{len(several)} numbers", expected=f"one or {count}"
        )
    return tuple(_number(name, value) for value in several)

"""Grays of slices brought to fixed places, so that the window in which a figure was printed tells nothing."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from transforms.hu_windows import HUWindow

Tones = Literal["shown", "anchored", "equalised"]

LEVELS = 65
"""Quantiles between which ranks are interpolated."""

DARK, BRIGHT = 0.2, 0.8
"""Where in the window the median gray of the darker and of the brighter part of a body come to stand."""

NARROW = 0.02
"""Distance of the two medians, as a share of the window, that is stretched no further: flat slices stay flat."""

SIDE = 128
"""Pixels of the longer side that are looked at."""


def retoned(slab: torch.Tensor, body: NDArray[np.bool_] | None, window: HUWindow, tones: Tones) -> torch.Tensor:
    """Grays in the window as they are shown, or brought to fixed places.

    Args:
        slab: `(1, slices, H, W)` in HU, not changed; its middle slice decides, and all are changed alike.
        body: `(H, W)`: the pixels that decide; `None` for all.
        window: The HU window that is shown.
        tones: See :class:`transforms.SliceInput`.

    Returns:
        `(1, slices, H, W)`; no longer HU but for `shown`.
    """
    if tones == "shown":
        return slab
    grays = _grays(slab, body, window)
    if not grays.size or np.ptp(grays) == 0:
        return slab.clamp(window.low, window.high)
    return (anchored if tones == "anchored" else equalised)(slab.clamp(window.low, window.high), grays, window)


def equalised(shown: torch.Tensor, grays: NDArray[np.float32], window: HUWindow) -> torch.Tensor:
    """Replaces each gray by its rank among those of the body: nothing of the window, nor of a curve of grays, is left.

    Only what a window has clipped stays alike: equal grays share their mean rank.

    Args:
        shown: `(1, slices, H, W)`, in the window.
        grays: `(N,)` of the body.
        window: Where the ranks come to stand, from its low end to its high one.
    """
    ranks = np.linspace(window.low, window.high, LEVELS)
    levels, place = np.unique(np.quantile(grays, np.linspace(0, 1, LEVELS)), return_inverse=True)
    ranks = np.bincount(place, weights=ranks) / np.bincount(place)
    return torch.from_numpy(np.interp(shown.numpy(), levels, ranks).astype(np.float32))


def anchored(shown: torch.Tensor, grays: NDArray[np.float32], window: HUWindow) -> torch.Tensor:
    """Moves and stretches grays so that air and tissue have the same ones in all slices.

    The body's pixels are parted by the threshold of Otsu (1979); the median of those below, mostly aerated lung, comes
    to :data:`DARK` of the window, that of those above, mostly muscle, to :data:`BRIGHT`. What lies between, such as
    ground glass, keeps its place between the two, wherever the window stood and however wide it was. What a window has
    clipped, and a curve of grays, is not undone.

    Args:
        shown: `(1, slices, H, W)`, in the window.
        grays: `(N,)` of the body.
        window: The HU window.
    """
    width = window.high - window.low
    threshold = threshold_otsu(grays)
    dark, bright = (float(np.median(part)) for part in (grays[grays <= threshold], grays[grays > threshold]))
    factor = (BRIGHT - DARK) * width / max(bright - dark, NARROW * width)
    return (window.low + DARK * width + factor * (shown - dark)).clamp_(window.low, window.high)


def _grays(slab: torch.Tensor, body: NDArray[np.bool_] | None, window: HUWindow) -> NDArray[np.float32]:
    """Grays `(N,)` of some of the body's pixels, in the window."""
    middle = slab[0, slab.shape[1] // 2].clamp(window.low, window.high).numpy()
    step = max(1, max(middle.shape) // SIDE)
    some = middle[::step, ::step]
    return np.asarray(some[body[::step, ::step]] if body is not None else some.ravel())

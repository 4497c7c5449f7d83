"""Where in a slice the body and the lungs are, for pictures whose window nobody knows as for HU."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.morphology import convex_hull_image

Region = Literal["lungs", "body", "all"]
Mask = NDArray[np.bool_]

COARSE_SIDE = 128
"""Pixels of the longer side on which masks are found."""

FLAT = 0.06
"""Spread of a row or column, as a share of the slice's, up to which it counts as a frame: JPEG smears flat ones."""

MIN_BODY = 0.15
"""Share of the slice under which what was found is no body."""

MIN_LUNGS = 0.08
"""Share of the body under which what was found is no lung."""

MIN_PART = 0.01
"""Share of the body under which a dark part is airway, gut or letter."""

LUNG_MARGIN = 0.06
"""Of the box around the lungs, as a share of its sides: fluid and pleura lie outside the aerated lung."""


class SliceBox(NamedTuple):
    """A box of pixels, `stop` excluded."""

    top: int
    left: int
    bottom: int
    right: int


class SliceRegion(NamedTuple):
    """Where to look in a slice."""

    box: SliceBox
    body: Mask | None
    """`(H, W)`: the convex hull of the body; `None` where none was found."""
    region: Region
    """What was found: `body` where no lungs were, `all` where no body was."""


def slice_region(gray: NDArray[np.floating], region: Region) -> SliceRegion:
    """Finds the body or the lungs in one axial slice.

    The frame of a figure (rows and columns of one value) is trimmed; tissue is what lies above the threshold of Otsu
    (1979); the body is the convex hull of its largest part, so letters and the table beside it stay outside and lungs
    that a tight crop cuts open stay inside; the lungs are the larger dark parts in it.

    Args:
        gray: `(H, W)`, brighter where denser: HU, or gray values.
        region: What to look for.

    Returns:
        The box, the body, and what was found.
    """
    whole = SliceBox(0, 0, *gray.shape)
    if region == "all":
        return SliceRegion(whole, None, "all")
    frame = _frame(gray)
    inner = gray[frame.top : frame.bottom, frame.left : frame.right]
    step = max(1, round(max(inner.shape) / COARSE_SIDE))
    coarse = _coarse(inner, step)
    body, threshold = _body(coarse)
    if body is None:
        return SliceRegion(frame, None, "all")
    fine = np.zeros(gray.shape, dtype=bool)
    fine[frame.top : frame.bottom, frame.left : frame.right] = _enlarged(body, step, inner.shape)
    if region == "lungs" and (lungs := _lungs(coarse, body, threshold)) is not None:
        box = _box(_with_margin(lungs), step, frame)
        return SliceRegion(box, fine, "lungs")
    return SliceRegion(_box(body, step, frame), fine, "body")


def _frame(gray: NDArray[np.floating]) -> SliceBox:
    """The slice without rows and columns of one value at its edges, and without what stands around those."""
    top, left, bottom, right = 0, 0, *gray.shape
    flat = FLAT * float(np.ptp(gray))
    while True:
        inner = gray[top:bottom, left:right]
        rows, columns = (np.flatnonzero(np.ptp(inner, axis=axis) > flat) for axis in (1, 0))
        if not rows.size or not columns.size:
            return SliceBox(0, 0, *gray.shape)
        cuts = int(rows[0]), int(columns[0]), inner.shape[0] - 1 - int(rows[-1]), inner.shape[1] - 1 - int(columns[-1])
        if not any(cuts):
            return SliceBox(top, left, bottom, right)
        # A frame may have another one inside: looked for again until nothing is cut.
        top, left, bottom, right = top + cuts[0], left + cuts[1], bottom - cuts[2], right - cuts[3]


def _coarse(gray: NDArray[np.floating], step: int) -> NDArray[np.float32]:
    """Means of squares of pixels; what is left over at the lower and right edge is dropped."""
    rows, columns = (length // step for length in gray.shape)
    squares = np.asarray(gray[: rows * step, : columns * step], dtype=np.float32).reshape(rows, step, columns, step)
    return np.asarray(squares.mean(axis=(1, 3)))


def _body(coarse: NDArray[np.float32]) -> tuple[Mask | None, float]:
    if np.ptp(coarse) == 0:
        return None, 0.0
    # Otsu's method gives the middle of a bin whose values all belong to the darker side.
    threshold = float(threshold_otsu(coarse)) + float(np.ptp(coarse)) / 512
    # Opened as if tissue went on beyond the edge: a body that is cut by it loses nothing there.
    tissue = ndimage.binary_dilation(ndimage.binary_erosion(coarse > threshold, border_value=1))
    labels, count = ndimage.label(tissue)
    if not count:
        return None, threshold
    sizes = np.bincount(labels.ravel())[1:]
    hull: Mask = convex_hull_image(labels == 1 + int(np.argmax(sizes)))
    return (hull if hull.mean() >= MIN_BODY else None), threshold


def _lungs(coarse: NDArray[np.float32], body: Mask, threshold: float) -> Mask | None:
    inside = ndimage.binary_erosion(body, iterations=2, border_value=1)
    labels, count = ndimage.label(inside & (coarse <= threshold))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    lungs: Mask = (sizes >= MIN_PART * body.sum())[labels]
    return lungs if lungs.sum() >= MIN_LUNGS * body.sum() else None


def _with_margin(mask: Mask) -> Mask:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = (round(LUNG_MARGIN * (hit[-1] - hit[0] + 1)) for hit in (rows, columns))
    wide = np.zeros_like(mask)
    wide[max(0, rows[0] - height) : rows[-1] + height + 1, max(0, columns[0] - width) : columns[-1] + width + 1] = True
    return wide


def _enlarged(mask: Mask, step: int, shape: tuple[int, ...]) -> Mask:
    large = np.repeat(np.repeat(mask, step, axis=0), step, axis=1)
    short = [(0, length - done) for length, done in zip(shape, large.shape, strict=True)]
    return np.asarray(np.pad(large, short, mode="edge"))


def _box(mask: Mask, step: int, frame: SliceBox) -> SliceBox:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return SliceBox(
        frame.top + int(rows[0]) * step,
        frame.left + int(columns[0]) * step,
        frame.bottom if rows[-1] == mask.shape[0] - 1 else frame.top + (int(rows[-1]) + 1) * step,
        frame.right if columns[-1] == mask.shape[1] - 1 else frame.left + (int(columns[-1]) + 1) * step,
    )

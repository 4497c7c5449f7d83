"""One slice as two small pictures: its HU, and what is marked on it."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.reports.shades import to_codes

Array = npt.NDArray[Any]

#: Pixels of a plane's longer side at most: label maps of 512 stay as they are.
LONGEST_SIDE = 640
_QUALITY = 75


@dataclass(frozen=True, kw_only=True)
class PlaneSize:
    """The size that a plane is shown in, in square pixels.

    Attributes:
        width: Columns.
        height: Rows.
    """

    width: int
    height: int

    def scaled(self, scale: float) -> tuple[int, int]:
        """Width and height of a smaller picture of it, at least a pixel."""
        return max(1, round(self.width * scale)), max(1, round(self.height * scale))


def plane_size(shape: tuple[int, ...], pixel_mm: tuple[float, float], longest: int = LONGEST_SIDE) -> PlaneSize:
    """Choose the size to show a plane in: square millimetres, its finer pixels kept as far as there is room.

    Args:
        shape: Rows and columns.
        pixel_mm: Height and width of a pixel.
        longest: Pixels of the longer side at most.

    Example:
        >>> plane_size((100, 50), (5.0, 1.0))
        PlaneSize(width=50, height=500)
    """
    height_mm, width_mm = shape[0] * pixel_mm[0], shape[1] * pixel_mm[1]
    step = max(min(pixel_mm), max(height_mm, width_mm) / longest)
    return PlaneSize(width=max(1, round(width_mm / step)), height=max(1, round(height_mm / step)))


def encode_gray(hu: Array, size: PlaneSize, scale: float = 1.0) -> bytes:
    """Encode HU as a JPEG of codes.

    Args:
        hu: ``(rows, columns)``.
        size: Of the plane.
        scale: Of the picture, in parts of that size.
    """
    picture = Image.fromarray(to_codes(hu))
    wanted = size.scaled(scale)
    if picture.size != wanted:
        picture = picture.resize(wanted, Image.Resampling.BILINEAR)
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def encode_marks(label_map: Array | None, lungs: Array | None, size: PlaneSize) -> bytes | None:
    """Encode a label map and lungs as one lossless picture, the lungs below the label map.

    Args:
        label_map: ``uint8 (rows, columns)``.
        lungs: The same, 1 left and 2 right.
        size: Of the plane; its values are the nearest voxels'.

    Returns:
        A PNG of twice the height; None where nothing is marked.
    """
    if not any(one is not None and one.any() for one in (label_map, lungs)):
        return None
    both = np.zeros((2, size.height, size.width), dtype=np.uint8)
    for place, values in zip(both, (label_map, lungs), strict=True):
        if values is not None:
            place[...] = _nearest(values.astype(np.uint8, copy=False), size)
    buffer = BytesIO()
    Image.fromarray(both.reshape(-1, size.width)).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def _nearest(values: Array, size: PlaneSize) -> Array:
    if values.shape == (size.height, size.width):
        return values
    picture = Image.fromarray(np.ascontiguousarray(values))
    resized: Array = np.asarray(picture.resize((size.width, size.height), Image.Resampling.NEAREST))
    return resized

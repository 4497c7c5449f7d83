"""A picture's thumbnail inside the picture: a list of thousands of cases reads it without decoding theirs."""

from __future__ import annotations

import base64
from io import BytesIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

#: Key of the PNG's text that holds the thumbnail, a JPEG in base64.
THUMBNAIL_KEY = "thumbnail"
#: Width and height at most.
THUMBNAIL_SIDES = (216, 96)
_QUALITY = 60


def with_thumbnail(picture: Image.Image, box: tuple[int, int, int, int]) -> PngInfo:
    """Give the text of a PNG that holds a thumbnail.

    Args:
        picture: The picture.
        box: The part of it that is worth showing small: left, top, right, bottom.
    """
    info = PngInfo()
    content = small_picture(picture.crop(box), THUMBNAIL_SIDES)
    info.add_text(THUMBNAIL_KEY, base64.b64encode(content).decode("ascii"))
    return info


def small_picture(picture: Image.Image, sides: tuple[int, int]) -> bytes:
    """Make a JPEG of a picture that fits into a width and a height."""
    small = picture.convert("RGB")
    small.thumbnail(sides, Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = BytesIO()
    small.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()

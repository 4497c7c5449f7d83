"""Small pictures of cases, for lists of many."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from pipeline.export.thumbnail import THUMBNAIL_KEY, THUMBNAIL_SIDES, small_picture
from pipeline.reports.page import data_uri


def thumbnail_of(folder: Path) -> str:
    """Give a small picture of a case.

    Args:
        folder: The case's folder.

    Returns:
        An address that holds it; empty where there is no picture, or none that can be read.
    """
    for path in _pictures(folder):
        try:
            return _thumbnail(path)
        except (OSError, UnidentifiedImageError, ValueError, SyntaxError):
            continue  # half written, or not ours
    return ""


def _pictures(folder: Path) -> Iterator[Path]:
    yield folder / "preview.png"
    yield from sorted(folder.glob("gradcam/slice_*.png"))[:1]
    yield folder / "curve.png"


def _thumbnail(path: Path) -> str:
    with Image.open(path) as picture:
        held = picture.info.get(THUMBNAIL_KEY)
        if isinstance(held, str):
            base64.b64decode(held, validate=True)
            return f"data:image/jpeg;base64,{held}"
        picture.load()
        buffer = BytesIO(small_picture(picture, THUMBNAIL_SIDES))
    return data_uri(buffer.getvalue(), "image/jpeg")

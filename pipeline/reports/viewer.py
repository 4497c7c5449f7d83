"""What the slice viewer of a page is given: pictures as text, and what to say of each slice."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.export.drawing import LUNG_OUTLINE, colour_of
from pipeline.reports.axial import AxialStack
from pipeline.reports.planes import encode_gray, encode_marks, plane_size
from pipeline.reports.shades import HU_WINDOWS, KNOTS
from pipeline.reports.volumes import PictureVolumes
from pipeline.reports.wording import plain_name

#: The axis that each overview looks along: from the back, and from the patient's left.
_OVERVIEWS = {"coronal": 1, "sagittal": 0}


def viewer_data(
    volumes: PictureVolumes,
    stack: AxialStack,
    classes: Mapping[str, int],
    captions: Sequence[str],
    *,
    start: int,
    shown: Sequence[int],
    place: Sequence[int],
    hu_window: str,
) -> dict[str, Any]:
    """Put together the object that `viewer.js` reads.

    Args:
        volumes: The volumes.
        stack: Their axial slices.
        classes: Class name to label value; the background (0) is left out.
        captions: What is said of each slice.
        start: The slice to begin with.
        shown: Slices that are shown small, and printed.
        place: Where the overviews cut, along the volumes' axes.
        hu_window: The HU window to begin with.

    Returns:
        Dictionaries, lists, strings and numbers.
    """
    return {
        "classes": [
            {"name": plain_name(name), "value": value, "colour": colour_of(value)}
            for name, value in classes.items()
            if value != 0
        ],
        "outline": LUNG_OUTLINE,
        "knots": KNOTS,
        "windows": HU_WINDOWS,
        "window": hu_window,
        "axial": {
            "size": [stack.size.width, stack.size.height],
            "gray": [_text(gray) for gray in stack.grays],
            "marks": [_text(marks) for marks in stack.marks],
        },
        **{name: _overview(volumes, axis, place[axis]) for name, axis in _OVERVIEWS.items()},
        "headwards": volumes.headwards,
        "heights": volumes.heights_mm,
        "captions": captions,
        "start": start,
        "shown": shown,
    }


def _overview(volumes: PictureVolumes, axis: int, place: int) -> dict[str, Any]:
    cut = tuple(place if other == axis else slice(None) for other in range(3))
    column = 1 - axis
    hu = volumes.hu[cut].T
    size = plane_size(hu.shape, (volumes.spacing_mm[2], volumes.spacing_mm[column]))
    label_map, lungs = (None if one is None else one[cut].T for one in (volumes.label_map, volumes.lungs))
    return {
        "size": [size.width, size.height],
        "gray": [_text(encode_gray(hu, size))],
        "marks": [_text(encode_marks(label_map, lungs, size))],
    }


def _text(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode("ascii")

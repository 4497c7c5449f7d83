"""Volumes that were labelled as a whole, as items of their slices."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from transforms.file_kinds import is_image
from transforms.slices import lung_slices, read_stack

logger = logging.getLogger(__name__)


def with_slices(
    items: Sequence[Mapping[str, Any]], *, every: int = 1, allow: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Puts an item for each slice that shows lung in the place of a volume without `slice`; others stay.

    The label of a volume becomes that of each of its slices, which is a weak label: a slice of a diseased lung may be
    healthy. Each such volume is read once here.

    Args:
        items: A data list, as :func:`pipeline.datasets.slices.load_slice_datalist` has it.
        every: Takes every n-th of these slices, from the middle of the first n on.
        allow: What the reader would otherwise refuse.

    Raises:
        CTError: When a volume cannot be read, or shows no lung.
    """
    done: list[dict[str, Any]] = []
    for item in items:
        if "slice" in item or is_image(item["image"]):
            done.append(dict(item))
            continue
        found = lung_slices(read_stack(item["image"], allow=allow))
        taken = found[(every - 1) // 2 :: every] or found[:1]
        logger.info("%s: %d slices with lung, %d taken", item["case"], len(found), len(taken))
        done += [{**item, "slice": index} for index in taken]
    return done

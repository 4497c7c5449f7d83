"""Test-time augmentation: parts are seen mirrored too, and what the network says of all views is averaged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

import torch

from transforms.errors import SettingError

Views = tuple[tuple[int, ...], ...]
"""For each view the spatial axes along which it is mirrored; `()` is the part as it is."""


def mirrorings(axes: int) -> Views:
    """All ways to mirror along some of the first axes, the part as it is first.

    Args:
        axes: 3 for volumes, 2 for slices.

    Example:
        >>> mirrorings(2)
        ((), (0,), (1,), (0, 1))
    """
    return tuple(some for count in range(axes + 1) for some in combinations(range(axes), count))


def check_views(flips: Sequence[Sequence[int]], axes: int) -> Views:
    """Makes sure that parts can be mirrored so.

    Args:
        flips: For each view its axes; empty for the part as it is alone.
        axes: That parts have.

    Raises:
        SettingError: When there is no such axis, or one is named twice in a view.
    """
    views = tuple(tuple(int(axis) for axis in view) for view in flips) or ((),)
    if any(len(set(view)) < len(view) or not set(view) <= set(range(axes)) for view in views):
        raise SettingError(
            "parts cannot be mirrored so",
            where="flips",
            found=[list(view) for view in views],
            expected=f"for each view some of the axes {', '.join(map(str, range(axes)))}",
        )
    return views


def mirrored(parts: Iterable[torch.Tensor], views: Views) -> Iterator[torch.Tensor]:
    """All views of each part `(C, ...)`, part by part."""
    for part in parts:
        for view in views:
            yield _flipped(part, view)


def averaged(logits: Iterable[torch.Tensor], views: Views) -> Iterator[torch.Tensor]:
    """The mean logits of each part, from those of its views in the order of :func:`mirrored`.

    Args:
        logits: `(K, ...)` of each view.
        views: How each was mirrored.

    Yields:
        `(K, ...)` in float32; as they are where there is but one view.
    """
    if len(views) == 1:
        yield from (_flipped(one, views[0]) for one in logits)
        return
    waiting = iter(logits)
    for first in waiting:
        total = _flipped(first, views[0]).float()
        for view in views[1:]:
            total = total + _flipped(next(waiting), view)
        yield total / len(views)


def _flipped(part: torch.Tensor, view: tuple[int, ...]) -> torch.Tensor:
    return part.flip([axis + 1 for axis in view]) if view else part

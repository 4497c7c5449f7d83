"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Row = tuple[str, str | None]
"""A label and what is said under it; nothing is shown where that is empty."""


def times(numbers: Iterable[float]) -> str:
    """Numbers with crosses between: `512 x 512 x 124`."""
    return " x ".join(f"{number:.4g}" if isinstance(number, float) else str(number) for number in numbers)


def dimensions(lengths_mm: Iterable[float]) -> str:
    """Lengths in millimetres: `0.7 x 0.7 x 2.5 mm`."""
    return f"{times(lengths_mm)} mm"


def listed(words: Sequence[str], most: int = 6) -> str:
    """Words with commas between; of many the first ones, and how many follow."""
    more = [f"and {len(words) - most} more"] if len(words) > most else []
    return ", ".join([*words[:most], *more])

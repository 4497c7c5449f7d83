"""Whether the reader takes a case, found out by asking the reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, combinations
from typing import TypeVar

from pipeline.inspection.results import Verdict
from transforms.errors import CTError
from transforms.reading.allowances import ALLOWANCES

Plan = TypeVar("Plan")


def judge(plan: Callable[[frozenset[str]], Plan], allow: frozenset[str]) -> tuple[Plan | None, Verdict]:
    """What the reader makes of a case, and the verdict.

    Args:
        plan: The reader, given what is allowed; raises one of its errors where it refuses.
        allow: What the user allows.
    """
    try:
        return plan(allow), Verdict(kind="read")
    except CTError as error:
        refusal = error
    kind, said = type(refusal).__name__, str(refusal)
    missing = sorted(set(ALLOWANCES) - allow)
    try:
        plan(allow.union(missing))
    except CTError as error:
        still = str(error)
        return None, Verdict(kind="refused", error_kind=kind, error=said, still=None if still == said else still)
    for more in _subsets(missing):
        try:
            return plan(allow.union(more)), Verdict(kind="read-after", needs=more, error_kind=kind, error=said)
        except CTError:
            continue  # fewer allowances than it takes
    raise refusal  # not to be reached: all of them together do


def _subsets(kinds: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """From one to all, the fewest first."""
    return chain.from_iterable(combinations(kinds, count) for count in range(1, len(kinds) + 1))

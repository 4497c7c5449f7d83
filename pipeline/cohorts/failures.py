"""What is told of a case that failed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from transforms.errors import CTError, root_error

logger = logging.getLogger(__name__)


class OutOfMemoryError(CTError):
    """A case needs more memory than there is."""


class FailedElsewhereError(CTError):
    """A case failed in another process that writes to the same folder."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A case that failed.

    Attributes:
        case: Its name.
        error: What was wrong: the user's error where one is at the root of it.
        seconds: How long it took to fail.
    """

    case: str
    error: Exception
    seconds: float

    @classmethod
    def of(cls, case: str, error: Exception, *, seconds: float) -> Failure:
        """The failure that an exception is; want of memory, in whichever words it comes, becomes a user's error."""
        root = root_error(error)
        if any(_wants_memory(one) for one in _chain(root)):
            device = "GPU" if any(isinstance(one, torch.OutOfMemoryError) for one in _chain(root)) else "main"
            said = OutOfMemoryError(
                f"there was not enough {device} memory",
                where=case,
                found=str(root).splitlines()[0] if str(root) else None,
                remedy="Set volumes_in_memory to 1, jobs to fewer, or take a machine with more memory",
            )
            return cls(case=case, error=said, seconds=seconds)
        return cls(case=case, error=root, seconds=seconds)

    def log(self) -> None:
        """Says so; with a traceback where it is no user's error, for that is ours to mend."""
        logger.error(
            "case %s failed: %s",
            self.case,
            self.error,
            exc_info=None if isinstance(self.error, CTError) else self.error,
            extra={"case": self.case},
        )

    def let_go(self) -> None:
        """Drops the traceback: its frames would keep the case's volumes in memory."""
        for error in _chain(self.error):
            error.__traceback__ = None


def case_name(item: Mapping[str, object]) -> str:
    """The name of a data list's item."""
    return str(item.get("case", item.get("image", "case")))


def _wants_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__

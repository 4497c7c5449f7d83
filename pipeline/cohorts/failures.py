"""What is told of a case that failed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from transforms.errors import CTError

logger = logging.getLogger(__name__)


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

    def log(self) -> None:
        """Says so; with a traceback where it is no user's error, for that is ours to mend."""
        logger.error(
            "case %s failed: %s",
            self.case,
            self.error,
            exc_info=None if isinstance(self.error, CTError) else self.error,
        )


def case_name(item: Mapping[str, object]) -> str:
    """The name of a data list's item."""
    return str(item.get("case", item.get("image", "case")))

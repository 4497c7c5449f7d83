"""How far the current case is, on a bar."""

from __future__ import annotations

import logging
from typing import Any

from tqdm import tqdm

logger = logging.getLogger(__name__)


class CaseProgress:
    """A bar over the patches or slices of each case, on a terminal; log lines elsewhere.

    Give it to an inferer as `progress`.

    Args:
        description: What the bar says before the count.
    """

    def __init__(self, description: str = "network") -> None:
        self.description = description
        self._bar: tqdm[Any] | None = None

    def __call__(self, done: int, total: int) -> None:
        """Shows that `done` of `total` parts are through the network."""
        bar = self._bar or tqdm(total=total, desc=self.description, unit="part", disable=None, leave=False)
        bar.update(done - bar.n)
        self._bar = bar
        if done >= total:
            if bar.disable:
                logger.info("%s: %d parts done", self.description, total)
            bar.close()
            self._bar = None

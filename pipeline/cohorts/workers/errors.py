"""What can happen to a worker."""

from __future__ import annotations

from transforms.errors import CTError


class WorkerKilledError(CTError):
    """The process that worked on a case is gone."""

    def __init__(self, finding: str = "", **parts: object) -> None:
        parts = {"remedy": "It may have run out of memory: see docs/outputs.md, and the system's log"} | parts
        super().__init__(finding or "the process that worked on it was killed", **parts)  # type: ignore[arg-type]

"""A case is worked on by one process at a time."""

from __future__ import annotations

import errno
import logging
from os import PathLike
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.export.files import cannot_write, make_folder
from transforms.errors import OutputError

logger = logging.getLogger(__name__)

LOCKS_FOLDER = ".locks"
"""In the output folder: an empty file a case. They stay: to remove one that is waited for would split the waiters."""

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class Claims:
    """Locks on the cases of an output folder.

    They are the kernel's: those of a process that ends, however it ends, are free at once. Threads and processes on one
    machine see each other's, and machines do on a shared file system that has locks (NFS, Lustre mounted with `flock`).
    Where there are none, it is said once, and every claim succeeds.

    Args:
        output_dir: Where results go.
    """

    def __init__(self, output_dir: str | PathLike[str]) -> None:
        self.folder = Path(output_dir) / LOCKS_FOLDER
        self._held: dict[str, FileLock | None] = {}
        self._lockless = False

    def claim(self, case: str) -> bool:
        """Claims a case; `False` when another has it.

        Raises:
            OutputError: When the output folder cannot be written.
        """
        if self._lockless:
            self._held[case] = None
            return True
        lock = FileLock(make_folder(self.folder) / f"{case}.lock", thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return False
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise cannot_write(self.folder, error) from error
            self._do_without(error)
            return self.claim(case)
        self._held[case] = lock
        return True

    def release(self, case: str) -> None:
        """Gives a case back; nothing happens where it is not held."""
        lock = self._held.pop(case, None)
        if lock is not None:
            lock.release()

    def release_all(self) -> None:
        """Gives all back."""
        for case in list(self._held):
            self.release(case)

    def _do_without(self, error: OSError) -> None:
        self._lockless = True
        said = OutputError(
            "this file system has no locks",
            where=self.folder,
            found=error.strerror,
            remedy="Let one command at a time write to this folder",
        )
        logger.warning("%s", said)

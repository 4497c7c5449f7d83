"""Files that are whole or not there: written under a hidden name, renamed when complete."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from transforms.errors import OutputError

_REMEDIES = {
    errno.ENOSPC: "Free some space on this disk, or choose another output folder",
    errno.EDQUOT: "Your disk quota is used up: free some space, or choose another output folder",
    errno.EACCES: "Choose an output folder that you may write to",
    errno.EPERM: "Choose an output folder that you may write to",
    errno.EROFS: "Choose an output folder on a disk that can be written",
    errno.ENOENT: "Create the folder first, or choose another output folder",
}


_TEMPORARY = re.compile(r"\..+-[0-9a-f]{8}(\.|$)")


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Hand out a temporary path that becomes ``path`` when the block ends whole.

    The temporary file lies in the same folder under a hidden name with the same suffixes. It is flushed to the disk
    and renamed over ``path`` at the end of the block; whatever ends the block early removes it and leaves an older
    ``path`` as it was.

    Args:
        path: The file to write.

    Yields:
        The temporary path to write to.

    Raises:
        OutputError: When the file cannot be written: disk full, folder not writable or missing.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "numbers.json"
        >>> with replacing(target) as temporary:
        ...     _ = temporary.write_text("[1, 2]")
        >>> target.read_text(), len(list(target.parent.iterdir()))
        ('[1, 2]', 1)
    """
    target = Path(path)
    stem, suffixes = target.name.partition(".")[::2]
    temporary = target.with_name(f".{stem}-{uuid4().hex[:8]}" + (f".{suffixes}" if suffixes else ""))
    try:
        yield temporary
        _flush_to_disk(temporary)
        os.replace(temporary, target)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def sweep(folder: str | os.PathLike[str]) -> None:
    """Remove what a writer left in a folder that was killed; to be called by the only writer that there is.

    Args:
        folder: The folder.
    """
    for path in Path(folder).iterdir():
        if _TEMPORARY.match(path.name):
            path.unlink(missing_ok=True)


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Write an object as indented JSON; NaN and infinity are refused, for JSON has none.

    Args:
        path: The file to write.
        content: Dictionaries, lists, strings, numbers, booleans, None.

    Raises:
        OutputError: When the file cannot be written.
        ValueError: When a number is not finite.
    """
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def make_folder(folder: str | os.PathLike[str]) -> Path:
    """Create a folder and its parents where they are missing.

    Args:
        folder: The folder to create.

    Returns:
        The folder.

    Raises:
        OutputError: When it cannot be created.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(Path(folder), error) from error
    return Path(folder)


def cannot_write(path: Path, error: OSError) -> OutputError:
    """Say what the operating system refused, and what can be done about it.

    Args:
        path: The file or folder that was to be written.
        error: What the operating system answered.

    Returns:
        The error to raise.
    """
    remedy = _REMEDIES.get(error.errno or 0, "Check the output folder")
    return OutputError("cannot be written", where=path, found=error.strerror or str(error), remedy=remedy)


def is_disk_full(error: BaseException) -> bool:
    """Say whether an error came of a disk or a quota that is used up.

    Args:
        error: What :func:`cannot_write` gave, with its cause.

    Returns:
        True when nothing more can be written for now.
    """
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.ENOSPC, errno.EDQUOT)


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

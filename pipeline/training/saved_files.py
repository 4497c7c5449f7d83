"""Whether a file is as `torch.save` wrote it: it opens whatever bits have changed since."""

from __future__ import annotations

import zipfile
from pathlib import Path


def is_as_saved(path: Path) -> bool:
    """Whether a file is there, whole, and every part of it has the checksum that it was written with.

    Reads the whole file: about a second a gigabyte.

    Args:
        path: Written by `torch.save`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile):
        return False

"""Whether an input is still the one that it was, without reading it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.cohorts.claims import LOCKS_FOLDER
from pipeline.datasets.study_folders import RESULT_MARK
from pipeline.dicomweb.address import is_address
from transforms.file_kinds import is_hidden

DETACHED = (".mhd", ".nhdr")
"""Headers whose voxels lie in a file beside them."""


def input_stamp(item: Mapping[str, Any]) -> dict[str, Any] | None:
    """What tells an input from a changed one: names, sizes and times of its files.

    Names are relative to the input, so that a data set may be moved as a whole. A series of an archive is told by its
    address alone: what a series UID names does not change.

    Args:
        item: A data list's item: a path or an address under `image`, and perhaps a `series_uid`.

    Returns:
        `files`, `bytes` and `stamp`, a hash; `None` where the files cannot be looked at.
    """
    image = item.get("image")
    if not isinstance(image, str | os.PathLike):
        return None
    digest = hashlib.blake2b(str(item.get("series_uid") or "").encode(), digest_size=16)
    if isinstance(image, str) and is_address(image):
        digest.update(image.encode())
        return {"files": None, "bytes": None, "stamp": digest.hexdigest()}
    count = size = 0
    try:
        for name, status in sorted(_files(Path(image))):
            digest.update(f"\n{name}\0{status.st_size}\0{status.st_mtime_ns}".encode(errors="surrogateescape"))
            count, size = count + 1, size + status.st_size
    except OSError:
        return None
    return {"files": count, "bytes": size, "stamp": digest.hexdigest()}


def _files(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    if path.is_dir():
        yield from _below(path, "")
        return
    yield path.name, path.stat()
    if path.suffix.lower() in DETACHED:
        for other in path.parent.glob(f"{path.stem}.*"):
            if other != path and other.is_file():
                yield other.name, other.stat()


def _below(folder: Path, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    """The files in a folder and below it, but for hidden ones and for results of ours."""
    with os.scandir(folder) as found:
        entries = list(found)
    if prefix and any(entry.name in (RESULT_MARK, LOCKS_FOLDER) for entry in entries):
        return
    for entry in entries:
        if is_hidden(Path(entry.name)):
            continue
        if entry.is_dir():
            yield from _below(Path(entry.path), f"{prefix}{entry.name}/")
        elif not entry.name.endswith((".csv", ".html")):  # a run's tables, where results go into the input's folder
            yield prefix + entry.name, entry.stat()

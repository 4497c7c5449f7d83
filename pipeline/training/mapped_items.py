"""Preprocessed cases in files that are opened memory-mapped."""

from __future__ import annotations

import enum
import fcntl
import logging
import os
import pickle
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor

from pipeline.export.files import make_folder, replacing
from pipeline.training.saved_files import is_as_saved
from transforms.errors import SettingError, UnreadableError

logger = logging.getLogger(__name__)

Item = dict[str, Any]

GIGABYTE = 1e9
LEFT_BEHIND_S = 24 * 3600
"""A file that was begun so long ago, and is not whole, was left behind by a process that was killed."""

_KIND = "__kind__"


class MappedItems:
    """A folder of preprocessed cases, a file each, that several processes may use at once.

    A file is written under another name and renamed when it is whole; of processes that want one at the same time one
    makes it, and the others wait. Files are opened memory-mapped: what is not looked at is not read, and what was read
    the system may forget again, so memory does not grow with the number of cases. Past the limit those are removed
    that were used longest ago; one that is open elsewhere stays readable there. A file that was damaged is made anew.

    Args:
        folder: Where the files are, of any number of data sets and chains.
        limit_gb: Gigabytes that they may take.
    """

    def __init__(self, folder: str | Path, limit_gb: float = 50.0) -> None:
        if limit_gb <= 0:
            raise SettingError("the cache needs some room", where="cache_gb", found=limit_gb, expected="above 0")
        self.folder = Path(folder)
        self.limit_bytes = int(limit_gb * GIGABYTE)

    def has(self, key: str) -> bool:
        """Whether there is a file of this key, and it is as it was written; all of it is read."""
        return is_as_saved(self._path(key))

    def get(self, key: str, make: Callable[[], Item]) -> Item:
        """The item of a key, made and stored where there is none, or one that cannot be opened.

        Args:
            key: Stands for all that the item depends on.
            make: Makes it.

        Raises:
            UnreadableError: When the file is there and may not be read.
        """
        path = self._path(key)
        return _opened(path) or self._made(path, make, opened=_opened)

    def renew(self, key: str, make: Callable[[], Item]) -> Item:
        """As :meth:`get`, and a file that :meth:`has` does not hold for one is made anew."""
        return self._made(self._path(key), make, opened=lambda path: _opened(path) if is_as_saved(path) else None)

    def _made(self, path: Path, make: Callable[[], Item], *, opened: Callable[[Path], Item | None]) -> Item:
        make_folder(self.folder)
        with _locked(path.with_suffix(".lock")):
            found = opened(path)
            if found is not None:
                return found
            if path.exists():
                logger.warning("%s: a file of the training cache was damaged; it is made anew", path)
            for unfinished in self.folder.glob(f".{path.stem}-*"):  # of a process that was killed: it held the lock
                unfinished.unlink(missing_ok=True)
            item = make()
            with replacing(path) as temporary:
                torch.save(_stored(item), temporary)
        self._trim(keep=path)
        return _opened(path) or item

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.pt"

    def _trim(self, keep: Path) -> None:
        files = {}
        for file in self.folder.glob("*.pt"):
            try:
                state = file.stat()
            except FileNotFoundError:  # removed by another process in between
                continue
            if not file.name.startswith("."):
                files[file] = state
            elif time.time() - state.st_mtime > LEFT_BEHIND_S:
                file.unlink(missing_ok=True)
        total = sum(state.st_size for state in files.values())
        for file in sorted(files, key=lambda file: files[file].st_mtime):
            if total <= self.limit_bytes:
                return
            if file != keep:
                file.unlink(missing_ok=True)
                total -= files[file].st_size


def _opened(path: Path) -> Item | None:
    """The item of a file, memory-mapped; nothing where there is none that can be opened."""
    try:
        content = torch.load(path, mmap=True, weights_only=True, map_location="cpu")
        os.utime(path)
        item: Item = _restored(content)
    except PermissionError as error:
        raise UnreadableError(
            "the training cache may not be used", where=path, found=error.strerror, remedy="Pass another --cache_dir"
        ) from error
    except (RuntimeError, ValueError, EOFError, OSError, pickle.UnpicklingError, LookupError, TypeError):
        return None
    return item


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _stored(value: Any) -> Any:
    """A value as `weights_only` loading takes it: tensors, numbers, text, lists and dictionaries."""
    if isinstance(value, MetaTensor):
        meta = {str(key): _stored(one) for key, one in value.meta.items()}
        return {_KIND: "volume", "voxels": value.as_tensor().contiguous(), "meta": meta}
    if isinstance(value, np.ndarray):
        return {_KIND: "array", "values": torch.from_numpy(np.ascontiguousarray(value))}
    if isinstance(value, Mapping):
        return {str(key): _stored(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_stored(one) for one in value]
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if value is None or isinstance(value, torch.Tensor | str | int | float | bool):
        return value
    raise SettingError(
        "the training cache cannot hold what the chain makes", where="cache_dir", found=type(value).__name__,
        remedy="Pass --cache_dir null to keep cases in memory",
    )  # fmt: skip


def _restored(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get(_KIND) == "volume":
            meta = {key: _restored(one) for key, one in value["meta"].items()}
            affine = meta.pop("affine", None)
            return MetaTensor(value["voxels"], affine=affine, meta=meta)
        if value.get(_KIND) == "array":
            return value["values"].numpy()
        return {key: _restored(one) for key, one in value.items()}
    return [_restored(one) for one in value] if isinstance(value, list) else value

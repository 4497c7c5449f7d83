"""What a preprocessed case depends on, as one short text: its files, the chain that made it, and the code of that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

import transforms


def item_key(item: Mapping[str, Any], steps: Sequence[Any]) -> str:
    """A text that changes whenever the preprocessed item might.

    It covers the item, the size and the time of change of every file and folder that it names, the settings of every
    step, all code of :mod:`transforms`, and the versions of torch and MONAI.

    Args:
        item: Of a data list.
        steps: The transforms that are applied to it, :func:`described` before any was called: some note what they did.
    """
    content = [
        {key: [value, _state(value)] for key, value in item.items()},
        steps,
        _code(),
    ]
    return hashlib.blake2b(json.dumps(content, sort_keys=True, default=str).encode(), digest_size=16).hexdigest()


def described(value: Any) -> Any:
    """The settings of an object as plain values, the same in every process."""
    if isinstance(value, np.ndarray | torch.Tensor):
        array = np.asarray(value)
        return [array.dtype.name, list(array.shape), hashlib.blake2b(array.tobytes()).hexdigest()]
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__qualname__, described(asdict(value))]
    if isinstance(value, Mapping):
        return sorted((str(key), described(one)) for key, one in value.items())
    if isinstance(value, set | frozenset):
        return sorted(str(one) for one in value)
    if isinstance(value, list | tuple):
        return [described(one) for one in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, np.random.RandomState):
        return None
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return [type(value).__qualname__, described(getattr(value, "__dict__", None))]


def _state(value: Any) -> Any:
    """Size and time of change of what a value names; nothing where it names no file."""
    if not isinstance(value, str | Path) or not Path(value).is_absolute() or not Path(value).exists():
        return None
    path = Path(value)
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return [[str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in files]


@cache
def _code() -> str:
    digest = hashlib.blake2b("".join(metadata.version(name) for name in ("torch", "monai")).encode())
    for file in sorted(Path(str(transforms.__file__)).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()

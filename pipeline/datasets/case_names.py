"""Names for cases: short, safe as folder names, and each only once."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from transforms.file_kinds import stem

MAX_NAME = 100
"""Longest name in characters; longer ones are cut and get a hash, so that they stay different."""


def case_names(paths: Sequence[Path], taken: Iterable[str] = ()) -> list[str]:
    """A name for each path: its stem or the folder's name, where that collides the shortest tail that does not.

    Args:
        paths: Files and folders, each only once.
        taken: Names that are given away already.

    Example:
        >>> case_names([Path("/d/STS_001/CT_image.nii.gz"), Path("/d/STS_002/CT_image.nii.gz"), Path("/d/b.nii")])
        ['STS_001_CT_image', 'STS_002_CT_image', 'b']
    """
    tails = [_parts(path) for path in paths]
    depths = [1] * len(tails)
    reserved = {name.casefold() for name in taken}
    while True:
        names = [safe_name("_".join(parts[-depth:])) for parts, depth in zip(tails, depths, strict=True)]
        counts = Counter(name.casefold() for name in names)
        clashing = [i for i, name in enumerate(names) if counts[name.casefold()] > 1 or name.casefold() in reserved]
        longer = [index for index in clashing if depths[index] < len(tails[index])]
        if not longer:
            return _numbered(names, reserved)
        for index in longer:
            depths[index] += 1


def safe_name(text: str) -> str:
    """`text` as the name of a folder: no separators, spaces or leading dots, at most :data:`MAX_NAME` characters."""
    name = re.sub(r"[^\w.-]+", "_", text).lstrip(".-_").rstrip("._") or "case"
    if len(name) <= MAX_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: MAX_NAME - 9]}-{digest}"


def _parts(path: Path) -> tuple[str, ...]:
    absolute = path.resolve() if path.name in ("", "..") else path.absolute()
    last = absolute.name if path.is_dir() else stem(absolute)
    return (*absolute.parts[1:-1], last)


def _numbered(names: Sequence[str], reserved: set[str]) -> list[str]:
    used, result = set(reserved), []
    for name in names:
        number, unique = 1, name
        while unique.casefold() in used:
            number += 1
            unique = f"{name}_{number}"
        used.add(unique.casefold())
        result.append(unique)
    return result

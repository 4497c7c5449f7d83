"""Which bundle and weights made a result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from pipeline.export import BundleIdentity
from pipeline.networks import file_hash
from transforms.errors import NotFoundError, UnreadableError


def bundle_identity(
    bundle_root: str | Path, weights: str | Path | Sequence[str | Path] | None = None
) -> BundleIdentity:
    """The name and version in a bundle's metadata, and the hash of the weights that are used.

    Args:
        bundle_root: The bundle's folder.
        weights: The weights file; of an ensemble all of them, whose hash is that of their hashes, one a line.

    Raises:
        NotFoundError: When the folder is no bundle.
        UnreadableError: When its metadata are no JSON object.
    """
    path = Path(bundle_root) / "configs" / "metadata.json"
    if not path.is_file():
        raise NotFoundError(
            "there are no metadata of a bundle", where=path, remedy="Pass the bundle's folder as --bundle_root"
        )
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
        name, version = str(metadata["name"]), str(metadata["version"])
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableError("the bundle's metadata hold no name and version", where=path) from error
    return BundleIdentity(name=name, version=version, weights_hash=None if weights is None else _hash(weights))


def _hash(weights: str | Path | Sequence[str | Path]) -> str:
    if isinstance(weights, str | Path):
        return f"sha256:{file_hash(weights)}"
    lines = "".join(f"{file_hash(one)}\n" for one in weights)
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"

"""The hashes of the weights that a bundle was published with."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pipeline.export.files import write_json
from pipeline.networks import file_hash
from transforms.errors import UnreadableError

KEY = "weights_sha256"


def published_hash(bundle_root: str | Path, weights: str | Path) -> str | None:
    """The SHA-256 that a bundle's metadata give for one of its own weights; `None` for weights from elsewhere.

    Args:
        bundle_root: The bundle's folder.
        weights: The weights file.
    """
    path = Path(weights)
    if path.resolve().parent != (Path(bundle_root) / "models").resolve():
        return None
    metadata = json.loads((Path(bundle_root) / "configs" / "metadata.json").read_text(encoding="utf-8"))
    digest = metadata.get(KEY, {}).get(path.name)
    return None if digest is None else str(digest)


def check_hashes(bundle_root: str | Path) -> None:
    """Makes sure that a bundle's weights are those that its metadata publish.

    Raises:
        UnreadableError: For weights that are not, or that the metadata do not name.
    """
    for weights in sorted((Path(bundle_root) / "models").glob("*.pt")):
        published, found = published_hash(bundle_root, weights), file_hash(weights)
        if found != published:
            raise UnreadableError(
                "the weights are not those that the bundle publishes",
                where=weights,
                found=found,
                expected=published or "a hash in its metadata",
                remedy=f"Run `python -m pipeline.bundle.hashes {bundle_root}` where you trained them yourself",
            )


def publish_hashes(bundle_root: str | Path) -> None:
    """Writes the hashes of a bundle's weights into its metadata."""
    root = Path(bundle_root)
    path = root / "configs" / "metadata.json"
    metadata = json.loads(path.read_text(encoding="utf-8"))
    metadata[KEY] = {weights.name: file_hash(weights) for weights in sorted((root / "models").glob("*.pt"))}
    write_json(path, metadata)


if __name__ == "__main__":
    publish_hashes(sys.argv[1])

"""A bundle as one file."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from pipeline.bundle.contents import REQUIRED, bundle_files
from pipeline.bundle.hashes import check_hashes
from pipeline.export.files import replacing
from transforms.errors import NotFoundError

_WRITTEN = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can have: the same content gives the same file


def pack_bundle(bundle: Path, archive: Path) -> Path:
    """Writes a bundle as a zip: one folder of its name, with configurations, weights, pages and licence.

    Args:
        bundle: The bundle's folder.
        archive: The zip; an older one is replaced when the new one is whole.

    Returns:
        `archive`.

    Raises:
        NotFoundError: When a file is missing without which the bundle is none.
        UnreadableError: When weights are not those that the bundle's metadata publish.
        OutputError: When the zip cannot be written.
    """
    missing = [name for name in REQUIRED if not (bundle / name).is_file()]
    if missing:
        raise NotFoundError("the bundle is not whole", where=bundle, found=f"no {', '.join(missing)}")
    check_hashes(bundle)
    with replacing(archive) as temporary, zipfile.ZipFile(temporary, "w") as written:
        for path in bundle_files(bundle):
            name = f"{bundle.resolve().name}/{path.relative_to(bundle).as_posix()}"
            packed = zipfile.ZIP_STORED if path.suffix == ".pt" else zipfile.ZIP_DEFLATED  # weights hardly shrink
            entry = zipfile.ZipInfo(name, _WRITTEN)
            entry.external_attr = 0o644 << 16
            written.writestr(entry, path.read_bytes(), compress_type=packed)
    return archive


def version_of(bundle: Path) -> str:
    """The version that a bundle's metadata give."""
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))
    return str(metadata["version"])

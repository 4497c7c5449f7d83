"""What belongs to a bundle as a folder or a file, and the rules of the model zoo about it."""

from __future__ import annotations

from pathlib import Path

REQUIRED = ("LICENSE", "configs/metadata.json", "configs/inference.yaml", "docs/README.md", "models/model.pt")
"""Files without which the model zoo takes no bundle."""

LARGEST_BYTES = 25 * 2**20
"""No file of a bundle may be larger (MONAI model zoo, CONTRIBUTING)."""

_FOLDERS = ("configs", "docs", "models")


def bundle_files(bundle: Path) -> list[Path]:
    """The files of a bundle, in the order of their names: its licence, configurations, pages and weights.

    Args:
        bundle: The bundle's folder.
    """
    below = (path for folder in _FOLDERS for path in (bundle / folder).rglob("*"))
    files = [path for path in below if path.is_file() and not _is_left_behind(path.relative_to(bundle))]
    return sorted([*files, *(path for path in [bundle / "LICENSE"] if path.is_file())])


def _is_left_behind(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)

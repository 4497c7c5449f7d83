"""The classes that a bundle's label maps hold."""

from __future__ import annotations

from pathlib import Path

import yaml

from transforms.errors import UnreadableError


def bundle_classes(bundle: Path, config: str = "inference.yaml") -> dict[str, int]:
    """Class name to value, from the `classes` key of a bundle's config.

    Raises:
        UnreadableError: When the config has none.
    """
    path = bundle / "configs" / config
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    classes = content.get("classes") if isinstance(content, dict) else None
    if not isinstance(classes, dict):
        raise UnreadableError("the configuration names no classes", where=path)
    return {str(name): int(value) for name, value in classes.items()}

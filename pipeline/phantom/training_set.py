"""The phantoms that the shipped weights are trained on."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.export.files import write_json
from pipeline.phantom.dataset import Split, write_phantom_dataset

PARTS: dict[str, tuple[tuple[float, float, float], dict[Split, range]]] = {
    "iso": (
        (1.5, 1.5, 1.5),
        {"training": range(1000, 1060), "validation": range(2000, 2004), "test": range(3000, 3003)},
    ),
    "thin": (
        (1.0, 1.0, 2.0),
        {"training": range(1100, 1130), "validation": range(2100, 2102), "test": range(3100, 3103)},
    ),
    "thick": (
        (0.9, 0.9, 5.0),
        {"training": range(1200, 1220), "validation": range(2200, 2202), "test": range(3200, 3202)},
    ),
}
"""Folder to spacing and seeds: scans differ in their slices, so the phantoms do. Test seeds are never trained on."""


def write_training_set(out: Path, *, workers: int = 2) -> Path:
    """Writes all parts under one `dataset.json`.

    Args:
        out: Folder for it.
        workers: Processes that make phantoms side by side.

    Returns:
        The path of `dataset.json`.

    Raises:
        OutputError: When a file cannot be written.
    """
    merged: dict[str, list[dict[str, str]]] = {}
    for name, (spacing_mm, seeds) in PARTS.items():
        listing = write_phantom_dataset(out / name, seeds=seeds, spacing_mm=spacing_mm, workers=workers)
        content = json.loads(listing.read_text(encoding="utf-8"))
        for split in seeds:
            entries = ({key: f"{name}/{path}" for key, path in entry.items()} for entry in content[split])
            merged.setdefault(split, []).extend(entries)
    write_json(out / "dataset.json", merged)
    return out / "dataset.json"

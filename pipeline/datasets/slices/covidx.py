"""The file lists of COVIDx: chest radiographs with a patient, a label and a source."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.datasets.slices.entries import SPLITS, SliceEntry
from transforms.errors import DataListError

_LINE = re.compile(r"(?P<patient>\S+)\s+(?P<file>\S.*?)\s+(?P<label>\S+)\s+(?P<source>\S+)")
_WITHOUT_SOURCE = re.compile(r"(?P<patient>\S+)\s+(?P<file>\S+)\s+(?P<label>\S+)")


def covidx_lists(root: Path) -> list[Path]:
    """The lists of a data set, `train*.txt`, `val*.txt` and `test*.txt`; empty where it has none for training."""
    found = [
        path
        for folder in (root, root / "labels")
        for path in sorted(folder.glob("*.txt"))
        if path.stem.startswith(("train", "val", "test"))
    ]
    return found if any(_split(path) == "training" for path in found) else []


def read_covidx(root: Path, lists: Sequence[Path]) -> list[SliceEntry]:
    """The entries of lists in the layout of COVIDx (Wang et al. 2020): lines of `patient filename label source`.

    The pictures lie in `train`, `val` and `test`, in folders of these names in `data` or `images`, or all in one
    of these. Sources number their patients each by itself: two patients of two sources are two, whatever their numbers.

    Args:
        root: The data set's folder.
        lists: One for each split.

    Raises:
        DataListError: When a line is malformed, or a split has several lists.
    """
    of_split: dict[str, Path] = {}
    for listing in lists:
        other = of_split.setdefault(_split(listing), listing)
        if other != listing:
            raise DataListError(
                "a split has several lists", where=root, found=f"{other.name}, {listing.name}",
                expected="one list a split", remedy="Keep the lists of one version of COVIDx",
            )  # fmt: skip
    return [entry for split, listing in of_split.items() for entry in _entries(root, listing, split)]


def _split(listing: Path) -> str:
    return next(SPLITS[word] for word in ("train", "val", "test") if listing.stem.startswith(word))


def _entries(root: Path, listing: Path, split: str) -> list[SliceEntry]:
    folders = _folders(root, {"training": "train", "validation": "val", "test": "test"}[split])
    entries = []
    for number, line in enumerate(listing.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        parts = _LINE.fullmatch(line.strip()) or _WITHOUT_SOURCE.fullmatch(line.strip())
        if parts is None:
            raise DataListError(
                "a line is malformed", where=listing, found=f"line {number} of {len(line.split())} words",
                expected="patient filename label source", remedy="Correct the list",
            )  # fmt: skip
        cells = parts.groupdict()
        entries.append(
            SliceEntry(
                path=_found(cells["file"], folders),
                label=cells["label"],
                split=split,
                patient=f"{cells.get('source', '')} {cells['patient']}".strip(),
                at=f"{listing.name} line {number}",
            )
        )
    return entries


def _folders(root: Path, word: str) -> list[Path]:
    """Where pictures of a split may lie, the likeliest place first."""
    outer = [root, root / "data", root / "images"]
    return [place for place in [*(one / word for one in outer), *outer] if place.is_dir()]


def _found(file: str, folders: Sequence[Path]) -> Path:
    """The file where it lies; where it should lie when it is missing."""
    return next((folder / file for folder in folders if (folder / file).is_file()), folders[0] / file)

"""Data sets of slices with masks: lists for training, validation and test."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from pipeline.datasets.case_names import safe_name
from pipeline.datasets.datalist import Split, load_datalist
from pipeline.datasets.datalist_files import read_entries
from pipeline.datasets.stacks.layouts import StackEntry, read_stack_entries, slice_count
from transforms.errors import DataListError


def load_stack_datalist(
    dataset_dir: str | PathLike[str],
    split: Split,
    *,
    validation_fraction: float = 0.2,
    seed: int = 0,
    labelled: bool = False,
) -> list[dict[str, Any]]:
    """The items of one split: `case`, `image`, `label`, and of a part of a stack `slices` (first, one after the last).

    In `training` every slice is an item, elsewhere every stack. Without a list for validation a share is set apart: of
    several pictures or volumes whole ones, by the hash of their names; of arrays, and of a single volume, the first
    slices of each, so that neighbours, which show nearly the same, stay together.

    Args:
        dataset_dir: A folder with `dataset.json` (see :func:`pipeline.datasets.load_datalist`), or in a layout of
            :func:`pipeline.datasets.stacks.layouts.read_stack_entries`.
        split: `training`, `validation` or `test`.
        validation_fraction: Share that is set apart.
        seed: Another seed sets others apart.
        labelled: Every stack of the split must have masks.

    Raises:
        DataListError: When the folder is no data set, or the split has no cases, or some lack masks.
    """
    root = Path(dataset_dir).absolute()
    entries = _listed(root) if (root / "dataset.json").is_file() or (root / "imagesTr").is_dir() else None
    if entries is None:
        entries = read_stack_entries(root) if root.is_dir() else []
    entries = _with_validation(entries, validation_fraction, seed)
    chosen = [entry for entry in entries if (entry.split or "training") == split]
    if not chosen:
        raise DataListError(
            f"the split {split!r} has no stacks of slices", where=root,
            expected="images_*.npy with masks_*.npy, CASE/images/ and CASE/masks/, images/ and masks/, or dataset.json",
            remedy="Give the folder that holds them",
        )  # fmt: skip
    bare = [entry.case for entry in chosen if entry.label is None]
    if labelled and bare:
        raise DataListError(
            f"stacks of the split {split!r} have no masks", where=root, found=", ".join(bare[:5]), remedy="Add them"
        )
    parts = [part for entry in chosen for part in (_slices(entry) if split == "training" else [entry])]
    return [_item(part) for part in parts]


def _listed(root: Path) -> list[StackEntry]:
    splits = [split for split, items in read_entries(root).items() if items]
    return [
        StackEntry(
            image=Path(item["image"]),
            label=Path(item["label"]) if "label" in item else None,
            case=item["case"],
            split=split,
        )
        for split in splits
        for item in load_datalist(root, split, validation_fraction=0)  # type: ignore[arg-type]
    ]


def _with_validation(entries: Sequence[StackEntry], fraction: float, seed: int) -> list[StackEntry]:
    training = [entry for entry in entries if entry.split in (None, "training")]
    if not training or not fraction or any(entry.split == "validation" for entry in entries):
        return list(entries)
    arrays = [entry for entry in training if entry.image.suffix.lower() == ".npy"]
    by_slices = arrays or (training if len(training) == 1 else [])
    count = min(math.ceil(len(training) * fraction), len(training) - 1)
    order = sorted(training, key=lambda entry: hashlib.sha256(f"{seed}:{entry.case}".encode()).digest())
    apart = {entry.case for entry in order[:count]}
    done: list[StackEntry] = []
    for entry in entries:
        if entry in by_slices:
            done += _cut(entry, fraction)
        elif entry in training and not by_slices and entry.case in apart:
            done.append(replace(entry, split="validation"))
        else:
            done.append(entry)
    return done


def _cut(entry: StackEntry, fraction: float) -> list[StackEntry]:
    count = slice_count(entry)
    if count is None or count < 2:
        return [entry]
    first = min(math.ceil(count * fraction), count - 1)
    return [replace(entry, split="validation", part=(0, first)), replace(entry, part=(first, count))]


def _slices(entry: StackEntry) -> list[StackEntry]:
    count = slice_count(entry)
    if count is None:
        return [entry]
    first = 0 if entry.part is None else entry.part[0]
    return [replace(entry, part=(number, number + 1)) for number in range(first, first + count)]


def _item(entry: StackEntry) -> dict[str, Any]:
    item: dict[str, Any] = {"case": safe_name(entry.case), "image": str(entry.image)}
    if entry.label is not None:
        item["label"] = str(entry.label)
    return item if entry.part is None else {**item, "slices": list(entry.part)}

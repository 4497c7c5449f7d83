"""Data sets of labelled slices: lists for training, validation and test."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, get_args

from pipeline.datasets.case_names import case_names
from pipeline.datasets.slices.entries import SliceEntry
from pipeline.datasets.slices.layouts import read_slice_entries
from transforms.classes import check_classes
from transforms.errors import CTError, DataListError

Split = Literal["training", "validation", "test"]

MAX_NAMED = 5
"""How many faults an error names before it only counts them."""


def load_slice_datalist(
    dataset_dir: str | PathLike[str],
    split: Split,
    classes: Mapping[str, int],
    *,
    validation_fraction: float = 0.2,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """The items of one split: `case`, `image` (an absolute path), `label` (the class's value), `group`.

    `group` is the patient where it is known, else the file: whatever is resampled or set apart goes by it. Slices of
    volumes have their index under `slice`; a volume that was labelled as a whole has none
    (:func:`pipeline.datasets.slices.with_slices` makes items of its slices). The whole data set is checked, whatever
    split is wanted. Where no item is of `validation`, a share of the training groups is set apart.

    Args:
        dataset_dir: A CSV, or a folder with `dataset.csv`, `dataset.json` or the layout of COVID-CT or
            COVIDx.
        split: `training`, `validation` or `test`.
        classes: Class name to value; labels are names or values.
        validation_fraction: Share of the training groups that is set apart.
        seed: Another seed sets other groups apart.

    Raises:
        DataListError: When the list is wrong: an image that is missing or stands in two splits, a label outside the
            classes, a patient in two splits, a split without items.
    """
    root = Path(dataset_dir).absolute()
    if split not in get_args(Split):
        raise DataListError(
            "there is no such split", where=root, found=repr(split), expected=", ".join(get_args(Split)),
            remedy="Name one of these",
        )  # fmt: skip
    entries = read_slice_entries(root, classes)
    values = _values(entries, check_classes(classes), root)
    _check_files(entries, root)
    _check_patients(entries, root)
    items = _with_validation(_items(entries, values), validation_fraction, seed)
    chosen = [{key: value for key, value in item.items() if key != "split"} for item in items if item["split"] == split]
    if not chosen:
        counts = {name: sum(item["split"] == name for item in items) for name in get_args(Split)}
        raise DataListError(
            f"the split {split!r} has no items", where=root,
            found=", ".join(f"{count} {name}" for name, count in counts.items() if count) or "no items at all",
            remedy="List some, or use another split",
        )  # fmt: skip
    return chosen


def _values(entries: Sequence[SliceEntry], classes: Mapping[str, int], root: Path) -> list[int]:
    known = {**{str(value): value for value in classes.values()}, **classes}
    faults = [f"{entry.at}: {entry.label}" for entry in entries if entry.label not in known]
    if faults:
        raise _faulty(
            faults, "a label is none of the classes", root, ", ".join(classes), "Correct it, or set `classes`"
        )
    return [known[entry.label] for entry in entries]


def _check_files(entries: Sequence[SliceEntry], root: Path) -> None:
    missing = [f"{entry.at}: {entry.path}" for entry in entries if not entry.path.exists()]
    if missing:
        raise _faulty(missing, "listed images do not exist", root, "files that exist", "Correct the list, or copy them")
    listed: dict[tuple[Path, int | None], SliceEntry] = {}
    faults = []
    for entry in entries:
        first = listed.setdefault((entry.path.resolve(), entry.slice), entry)
        if first is not entry:
            where = "twice" if first.split == entry.split else f"in {first.split} and in {entry.split}"
            faults.append(f"{entry.path.name} {where} ({first.at}; {entry.at})")
    if faults:
        raise _faulty(
            faults, "images are listed more than once", root, "each in one split and once", "Correct the list"
        )


def _check_patients(entries: Sequence[SliceEntry], root: Path) -> None:
    splits: dict[str, dict[str | None, SliceEntry]] = defaultdict(dict)
    for entry in entries:
        splits[entry.patient or str(entry.path.resolve())].setdefault(entry.split, entry)
    # The rows are named, not the patients: what stands in the list may be a name.
    faults = [
        " and ".join(f"{one.at} ({one.split or 'no split'})" for one in found.values())
        for found in splits.values()
        if len(found) > 1
    ]
    if faults:
        raise _faulty(
            faults, "slices of one patient or volume stand in several splits", root, "each patient in one split",
            "Move the patient's slices into one split: what is learned of a patient must not be tested on them",
        )  # fmt: skip


def _items(entries: Sequence[SliceEntry], values: Sequence[int]) -> list[dict[str, Any]]:
    paths = list(dict.fromkeys(entry.path for entry in entries))
    names = dict(zip(paths, case_names(paths), strict=True))
    return [
        {
            "case": names[entry.path],
            "image": str(entry.path),
            "label": value,
            "group": entry.patient or str(entry.path),
            "split": entry.split or "training",
            **({} if entry.slice is None else {"slice": entry.slice}),
        }
        for entry, value in zip(entries, values, strict=True)
    ]


def _with_validation(items: list[dict[str, Any]], fraction: float, seed: int) -> list[dict[str, Any]]:
    """Sets groups of each class apart by the hash of their names."""
    if fraction <= 0 or any(item["split"] == "validation" for item in items):
        return items
    label_of = {item["group"]: item["label"] for item in items if item["split"] == "training"}
    apart = set()
    for label in sorted(set(label_of.values())):
        groups = [group for group, own in label_of.items() if own == label]
        groups.sort(key=lambda group: hashlib.sha256(f"{seed}:{Path(group).name}".encode()).digest())
        apart |= set(groups[: min(math.ceil(len(groups) * fraction), len(groups) - 1)])
    return [
        {**item, "split": "validation"} if item["split"] == "training" and item["group"] in apart else item
        for item in items
    ]


def _faulty(faults: Sequence[str], finding: str, root: Path, expected: str, remedy: str) -> CTError:
    shown = "; ".join(faults[:MAX_NAMED]) + ("; ..." if len(faults) > MAX_NAMED else "")
    return DataListError(
        f"{len(faults)} fault(s): {finding}", where=root, found=shown, expected=expected, remedy=remedy
    )

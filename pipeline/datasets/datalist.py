"""Data sets with labels: lists of images and label maps for training, validation and test."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Literal, get_args

from pipeline.datasets.case_names import case_names, safe_name
from pipeline.datasets.datalist_files import Entry, read_entries
from transforms.errors import DataListError, SettingError

Split = Literal["training", "validation", "test"]

MAX_NAMED = 5
"""How many faults an error names before it only counts them."""


def load_datalist(
    dataset_dir: str | PathLike[str],
    split: Split,
    *,
    validation_fraction: float = 0.2,
    seed: int = 0,
    labelled: bool = False,
) -> list[dict[str, str]]:
    """The items of one split: `case`, `image`, and `label` and `patient` where there is one, paths absolute.

    `DATASET_DIR/dataset.json` lists them (`{"training": [{"image": ..., "label": ...}], "validation": [...], "test":
    [...]}`, paths relative to the folder), in our way or the Medical Segmentation Decathlon's; without the file the
    Decathlon's folders `imagesTr`, `labelsTr` and `imagesTs` do. Without a list for validation a share of the training
    cases is set apart, the same for the same cases and seed. The whole data set is checked, whatever split is wanted.

    Args:
        dataset_dir: The data set's folder.
        split: `training`, `validation` or `test`.
        validation_fraction: Share of training cases set apart where no validation is listed, 0 to below 1.
        seed: Another seed sets other cases apart.
        labelled: Every case of the split must have a label.

    Raises:
        DataListError: When the folder or the list is wrong, files are missing, a case stands twice, the split is
            unknown or empty.
        SettingError: For a fraction that is none.
    """
    root = Path(dataset_dir).absolute()
    if split not in get_args(Split):
        raise DataListError(
            "there is no such split", where=root, found=repr(split), expected=", ".join(get_args(Split)),
            remedy="Name one of these",
        )  # fmt: skip
    splits = load_splits(root, validation_fraction=validation_fraction, seed=seed)
    if not splits.get(split) and not (split == "validation" and validation_fraction == 0):
        raise DataListError(
            f"the split {split!r} has no cases",
            where=root,
            found=", ".join(f"{len(items)} {name}" for name, items in splits.items() if items) or "no cases at all",
            remedy="List some in dataset.json, or add files",
        )
    items = splits.get(split, [])
    if labelled and (bare := [item["case"] for item in items if "label" not in item]):
        raise DataListError(
            f"cases of the split {split!r} have no label",
            where=root,
            found=f"{len(bare)} of {len(items)}: {', '.join(bare[:5])}",
            remedy="Give each a `label` in dataset.json, or use another split",
        )
    return items


def load_splits(
    dataset_dir: str | PathLike[str], *, validation_fraction: float = 0.2, seed: int = 0
) -> dict[str, list[dict[str, str]]]:
    """All splits of a data set, each a list as :func:`load_datalist` gives it; arguments and errors as there."""
    root = Path(dataset_dir).absolute()
    if not 0 <= validation_fraction < 1:
        raise SettingError("`validation_fraction` must be 0 or more and below 1", found=validation_fraction)
    entries = read_entries(root)
    _check_files(entries, root)
    return _with_validation(_named(entries, root), validation_fraction, seed)


def _check_files(entries: Mapping[str, Sequence[Entry]], root: Path) -> None:
    faults: list[str] = []
    listed: dict[Path, str] = {}
    for split, items in entries.items():
        for number, entry in enumerate(items):
            at = f"{split}[{number}]"
            paths = {"image": entry.image, "label": entry.label}
            faults += [f"{at} {key} {path} does not exist" for key, path in paths.items() if path and not path.exists()]
            first = listed.setdefault(entry.image.resolve(), at)
            if first != at:
                faults.append(f"{at} is the case of {first} again: {entry.image}")
    if faults:
        raise DataListError(
            f"{len(faults)} fault(s) in the data set",
            where=root,
            found="; ".join(faults[:MAX_NAMED]) + ("; ..." if len(faults) > MAX_NAMED else ""),
            expected="files that exist, each case in one split and once",
            remedy="Correct dataset.json, or put the files in their places",
        )


def _named(entries: Mapping[str, Sequence[Entry]], root: Path) -> dict[str, list[dict[str, str]]]:
    given = [(split, safe_name(entry.case)) for split, items in entries.items() for entry in items if entry.case]
    splits_of: dict[str, list[str]] = defaultdict(list)
    for split, name in given:
        splits_of[name].append(split)
    doubled = [f"{name} in {' and '.join(splits)}" for name, splits in splits_of.items() if len(splits) > 1]
    if doubled:
        raise DataListError(
            f"{len(doubled)} case name(s) stand twice",
            where=root,
            found="; ".join(doubled[:MAX_NAMED]),
            expected="each case in one split and once",
            remedy="Correct dataset.json",
        )
    unnamed = [entry.image for items in entries.values() for entry in items if not entry.case]
    derived = iter(case_names(unnamed, taken=splits_of))
    return {
        split: [_item(entry, safe_name(entry.case) if entry.case else next(derived)) for entry in items]
        for split, items in entries.items()
    }


def _item(entry: Entry, name: str) -> dict[str, str]:
    label = {} if entry.label is None else {"label": str(entry.label)}
    patient = {} if entry.patient is None else {"patient": entry.patient}
    return {"case": name, "image": str(entry.image), **label, **patient}


def _with_validation(
    splits: dict[str, list[dict[str, str]]], fraction: float, seed: int
) -> dict[str, list[dict[str, str]]]:
    """Sets training cases apart by the hash of their names: a case that is added moves few of the others."""
    training = splits.get("training", [])
    if splits.get("validation") or not training or fraction == 0:
        return splits
    count = min(math.ceil(len(training) * fraction), len(training) - 1)
    order = sorted(training, key=lambda item: hashlib.sha256(f"{seed}:{item['case']}".encode()).digest())
    apart = {item["case"] for item in order[:count]}
    return {
        **splits,
        "training": [item for item in training if item["case"] not in apart],
        "validation": [item for item in training if item["case"] in apart],
    }

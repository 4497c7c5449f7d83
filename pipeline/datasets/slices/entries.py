"""What a data set of labelled slices says about its items, before any file is looked for."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from transforms.errors import DataListError
from transforms.file_kinds import is_hidden, is_image

SPLITS = {"train": "training", "training": "training", "val": "validation", "valid": "validation",
          "validation": "validation", "test": "test"}  # fmt: skip
"""What lists call a split, and what it is here."""


@dataclass(frozen=True, kw_only=True)
class SliceEntry:
    """One item of a data set of slices.

    Attributes:
        path: A picture or a volume, absolute.
        label: The class's name, as the data set has it.
        at: Where it is listed, for messages.
        split: `training`, `validation` or `test`; `None` where the data set leaves it open.
        patient: Whose slice it is, where that is known.
        slice: Of a volume: the index along its own axial axis; `None` where the label is the volume's.
    """

    path: Path
    label: str
    at: str
    split: str | None = None
    patient: str | None = None
    slice: int | None = None


def read_slice_table(table: Path) -> list[SliceEntry]:
    """The entries of a CSV with the columns `path` and `label`, and perhaps `patient`, `split` and `slice`."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            lines = [{name: (value or "").strip() for name, value in line.items() if name} for line in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataListError("the table cannot be read", where=table, remedy="Save it as CSV in UTF-8") from error
    columns = reader.fieldnames or []
    if not {"path", "label"} <= set(columns):
        raise DataListError(
            "the table lacks a column", where=table, found=", ".join(columns) or "an empty file",
            expected="path, label, and perhaps patient, split and slice", remedy="Name the columns in the first line",
        )  # fmt: skip
    return [_entry(line, f"row {number}", table) for number, line in enumerate(lines, start=2)]


def read_slice_json(listing: Path) -> list[SliceEntry]:
    """The entries of `{"training": [{"image": …, "label": CLASS}], …}`, perhaps with `patient` and `slice`."""
    try:
        content = json.loads(listing.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise DataListError("the list is no JSON", where=listing, remedy="Correct the file") from error
    if not isinstance(content, dict) or not any(isinstance(content.get(split), list) for split in SPLITS):
        raise DataListError(
            "the list names no split", where=listing, expected='{"training": [{"image": ..., "label": ...}]}',
            remedy="Correct the file",
        )  # fmt: skip
    entries = []
    for split in (name for name in SPLITS if isinstance(content.get(name), list)):
        for number, item in enumerate(content[split]):
            at = f"{split}[{number}]"
            if not isinstance(item, dict):
                raise DataListError("an entry is malformed", where=listing, found=f"{at}: {item!r}"[:200])
            cells = {key: "" if value is None else str(value) for key, value in item.items()}
            entries.append(_entry({**cells, "path": cells.get("image", ""), "split": split}, at, listing))
    return entries


def read_covid_ct(root: Path, classes: Mapping[str, int]) -> list[SliceEntry]:
    """The entries of COVID-CT (Zhao et al. 2020): names in `Data-split/CLASS/{train,val,test}*.txt`.

    The pictures of a class lie in `CT_CLASS/` or `Images-processed/CT_CLASS/`. A picture that no list names is left
    out. Who the patients are is not part of the layout.
    """
    entries = []
    for name in classes:
        lists = sorted((root / "Data-split" / name).glob("*.txt"))
        if not lists:
            raise DataListError(
                "the layout of COVID-CT lacks lists of a class", where=root / "Data-split" / name,
                found=", ".join(sorted(path.name for path in (root / "Data-split").iterdir())) or "nothing",
                expected="trainCT_*.txt, valCT_*.txt or testCT_*.txt",
                remedy="Name the folders in Data-split as `classes` does",
            )  # fmt: skip
        folder = _class_folder(root, name)
        for listing in lists:
            split = next((SPLITS[word] for word in ("train", "val", "test") if listing.stem.startswith(word)), None)
            if split is None:
                raise DataListError("the list is of no known split", where=listing, expected="train…, val… or test…")
            lines = listing.read_text(encoding="utf-8-sig").splitlines()
            named = [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]
            at = f"{name}/{listing.name}"
            entries += [
                SliceEntry(path=folder / file, label=name, split=split, at=f"{at} line {number}")
                for number, file in named
            ]
    return entries


def _class_folder(root: Path, name: str) -> Path:
    places = [root / f"CT_{name}", root / "Images-processed" / f"CT_{name}", root / name]
    found = next((place for place in places if place.is_dir() and any(_pictures(place))), None)
    if found is None:
        raise DataListError(
            "there is no folder with the pictures of a class", where=root, found=name,
            expected=", ".join(str(place.relative_to(root)) for place in places), remedy="Unpack the pictures",
        )  # fmt: skip
    return found


def _pictures(folder: Path) -> Sequence[Path]:
    return [file for file in folder.iterdir() if is_image(file) and not is_hidden(file)]


def _entry(cells: Mapping[str, str], at: str, source: Path) -> SliceEntry:
    split, index = cells.get("split", "").lower(), cells.get("slice", "")
    for key in ("path", "label"):
        if not cells.get(key):
            raise DataListError(f"an entry has no {key}", where=source, found=at, remedy="Complete the list")
    if split and split not in SPLITS:
        raise DataListError(
            "there is no such split", where=source, found=f"{at}: {split}", expected=", ".join(SPLITS),
            remedy="Correct the list",
        )  # fmt: skip
    if index and not index.isdecimal():
        raise DataListError(
            "a slice is no index", where=source, found=f"{at}: {index}", expected="a whole number from 0",
            remedy="Correct the list",
        )  # fmt: skip
    return SliceEntry(
        path=source.parent / cells["path"],
        label=cells["label"],
        at=at,
        split=SPLITS[split] if split else None,
        patient=cells.get("patient") or None,
        slice=int(index) if index else None,
    )

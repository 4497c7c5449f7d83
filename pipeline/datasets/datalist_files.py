"""What a data set's folder says about its cases, before any file is looked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transforms.errors import DataListError
from transforms.file_kinds import is_hidden, stem, volume_format

SPLITS = ("training", "validation", "test")
"""Lists of cases in `dataset.json`."""

_LOOKALIKES = frozenset({"train", "val", "valid", "testing", "eval", "tests", "validate"})
_CHANNEL_SUFFIX = "_0000"  # nnU-Net's name of the first channel


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One case of a data set; absolute paths.

    Attributes:
        image: The CT.
        label: Its label map.
        case: Its name, where the list gives one.
        patient: Whose it is, where the list says so: cases of one patient stay together in splits and intervals.
    """

    image: Path
    label: Path | None = None
    case: str | None = None
    patient: str | None = None


def read_entries(root: Path) -> dict[str, list[Entry]]:
    """The entries of each split of a data set's folder.

    Raises:
        DataListError: When there is neither `dataset.json` nor `imagesTr`, the JSON is malformed, or an entry is.
    """
    listing = root / "dataset.json"
    content = _json(listing) if listing.is_file() else {}
    if any(split in content for split in SPLITS):
        return {split: _entries(content[split], split, listing) for split in SPLITS if split in content}
    if (root / "imagesTr").is_dir():
        return {"training": _decathlon(root, "Tr"), "test": _decathlon(root, "Ts")}
    raise DataListError(
        "the folder is no data set",
        where=root,
        found=f"dataset.json with {', '.join(map(str, content)) or 'nothing'}"
        if listing.is_file()
        else "no dataset.json",
        expected='dataset.json with "training": [{"image": ..., "label": ...}], or folders imagesTr and labelsTr',
        remedy="Write the list, or give the folder that holds it",
    )


def _json(listing: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(listing.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        at = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else None
        raise DataListError("the list is no JSON", where=listing, found=at, remedy="Correct the file") from error
    if not isinstance(content, dict):
        raise DataListError(
            "the list is no JSON object", where=listing, found=type(content).__name__,
            expected='{"training": [...]}', remedy="Correct the file",
        )  # fmt: skip
    unknown = sorted(_LOOKALIKES & set(content))
    if unknown:
        raise DataListError(
            "the list names unknown splits", where=listing, found=", ".join(unknown), expected=", ".join(SPLITS),
            remedy="Rename them",
        )  # fmt: skip
    return content


def _entries(items: object, split: str, listing: Path) -> list[Entry]:
    if not isinstance(items, list):
        raise _malformed(listing, split, items, "a list")
    return [_entry(item, f"{split}[{number}]", listing) for number, item in enumerate(items)]


def _entry(item: object, at: str, listing: Path) -> Entry:
    if isinstance(item, str):  # the Decathlon's list of test images
        item = {"image": item}
    if not isinstance(item, dict) or not isinstance(item.get("image"), str) or not item["image"]:
        raise _malformed(listing, at, item, 'an object with "image": "PATH"')
    label, case, patient = item.get("label"), item.get("case"), item.get("patient")
    names = case is None or isinstance(case, str), patient is None or isinstance(patient, str)
    if not (label is None or (isinstance(label, str) and label)) or not all(names):
        raise _malformed(listing, at, item, "paths and names as text")
    if label is None and at.startswith(("training", "validation")):
        raise _malformed(listing, at, item, 'a "label" too')
    root = listing.parent
    return Entry(
        image=root / item["image"],
        label=None if label is None else root / label,
        case=case or None,
        patient=patient or None,
    )


def _decathlon(root: Path, ending: str) -> list[Entry]:
    images, labels = root / f"images{ending}", root / f"labels{ending}"
    if not images.is_dir():
        return []
    files = [file for file in sorted(images.iterdir()) if volume_format(file) and not is_hidden(file)]
    return [Entry(image=file, label=_label_of(file, labels, required=ending == "Tr")) for file in files]


def _label_of(image: Path, labels: Path, *, required: bool) -> Path | None:
    """The label map of the same name; where a required one is missing, the path that it should have."""
    ending = image.name[len(stem(image)) :]
    names = (image.name, stem(image).removesuffix(_CHANNEL_SUFFIX) + ending)
    present = next((labels / name for name in names if (labels / name).exists()), None)
    return labels / image.name if present is None and required else present


def _malformed(listing: Path, at: str, found: object, expected: str) -> DataListError:
    return DataListError(
        f"the entry {at} is malformed", where=listing, found=json.dumps(found)[:200], expected=expected,
        remedy="Correct the file",
    )  # fmt: skip

"""What a folder of slices holds, by its layout: arrays, pictures in folders, or a list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np

from transforms.errors import DataListError
from transforms.file_kinds import is_hidden, volume_format
from transforms.stacks.arrays import open_array
from transforms.stacks.read import pictures_of

SPLIT_FOLDERS = {
    "training": ("training", "train", "stage1_train"),
    "validation": ("validation", "val", "valid"),
    "test": ("test", "stage1_test"),
}
"""What folders of a split are called, here and in the 2018 Data Science Bowl."""

_ARRAY = re.compile(r"(?:(?P<before>test|val|valid|validation|train)_)?images?(?:_(?P<name>.+))?$")


@dataclass(frozen=True, kw_only=True)
class StackEntry:
    """One stack of a data set.

    Attributes:
        image: A `.npy` file, a picture, a folder of pictures, or a volume.
        label: Its masks; `None` where there are none.
        case: Its name.
        split: `training`, `validation` or `test`; `None` where the layout leaves it open.
        part: Its slices, first and the one after the last; `None` for all.
    """

    image: Path
    label: Path | None
    case: str
    split: str | None = None
    part: tuple[int, int] | None = None


def read_stack_entries(root: Path) -> list[StackEntry]:
    """The stacks of a folder, in a stable order; empty when it has none of the layouts.

    `images_NAME.npy` with `masks_NAME.npy`; `CASE/images/` with `CASE/masks/`; `images/` with `masks/` of the same
    names, each picture a case. The latter two may lie in folders that are named as splits.

    Raises:
        DataListError: When images lack masks where a part of them has some.
    """
    if arrays := _arrays(root):
        return arrays
    found: list[StackEntry] = []
    for split, names in SPLIT_FOLDERS.items():
        for folder in (root / name for name in names if (root / name).is_dir()):
            found += [replace(entry, split=split) for entry in _pictures(folder)]
    return found or _pictures(root)


def slice_count(entry: StackEntry) -> int | None:
    """How many slices a stack has, from its header; `None` where only reading it would tell."""
    if entry.part is not None:
        return entry.part[1] - entry.part[0]
    if entry.image.suffix.lower() == ".npy":
        return len(open_array(entry.image))
    if pictures := pictures_of(entry.image):
        return len(pictures)
    if volume_format(entry.image) == "nifti":
        shape = getattr(nib.load(entry.image), "shape", ())
        return int(np.asarray(shape)[2]) if len(shape) == 3 else None
    return None


def _arrays(root: Path) -> list[StackEntry]:
    found = []
    for file in sorted(root.glob("*.npy")):
        match = _ARRAY.match(file.stem)
        if match is None:
            continue
        label = file.with_name(file.name.replace("image", "mask", 1))
        split = _split_of(match["before"] or (match["name"] or "").partition("_")[0])
        found.append(StackEntry(image=file, label=label if label.is_file() else None, case=file.stem, split=split))
    bare = [entry.image.name for entry in found if entry.label is None and entry.split != "test"]
    if bare:
        raise DataListError(
            "arrays of images have no masks", where=root, found=", ".join(bare[:5]),
            expected="masks_NAME.npy beside images_NAME.npy", remedy="Add them, or name it test_images_NAME.npy",
        )  # fmt: skip
    return found


def _split_of(word: str) -> str | None:
    return next((split for split, names in SPLIT_FOLDERS.items() if word in names), None)


def _pictures(root: Path) -> list[StackEntry]:
    images, masks = root / "images", root / "masks"
    if pictures := pictures_of(images):
        return [_flat(picture, masks) for picture in pictures]
    folders: Sequence[Path] = sorted(
        folder
        for folder in root.iterdir()
        if folder.is_dir() and not is_hidden(folder) and pictures_of(folder / "images")
    )
    return [
        StackEntry(
            image=folder / "images",
            label=folder / "masks" if (folder / "masks").is_dir() else None,
            case=folder.name,
        )
        for folder in folders
    ]


def _flat(picture: Path, masks: Path) -> StackEntry:
    mask = next((file for file in pictures_of(masks) if file.stem == picture.stem), None)
    return StackEntry(image=picture, label=mask, case=picture.stem)

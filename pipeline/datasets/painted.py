"""Data sets made of real CTs with painted lesions, in the layout of the Medical Segmentation Decathlon."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor
from numpy.typing import NDArray
from tqdm import tqdm

from pipeline.datasets.studies import Case, find_cases
from pipeline.export.files import write_json
from pipeline.phantom.writing import save_nifti
from transforms.anatomy import native_lungs
from transforms.errors import DataListError, GeometryError, OutputError, SettingError
from transforms.grids.grid import Grid
from transforms.reading import read_ct
from transforms.synthesis import DEFAULT_CLASSES, RandPaintLesions

Part = Sequence[Sequence[float | None]]
"""A box of the patient, RAS+ millimetres: lowest and highest x, y and z; `None` where it goes on to the end."""

WHOLE: tuple[Part, ...] = (((None, None), (None, None), (None, None)),)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PaintedSet:
    """How many CTs are painted, and which.

    Attributes:
        versions: Painted versions of each CT.
        validation: How many of them are for validation.
        healthy: Share of the versions that stay without lesions.
        thickness_mm: Slices are averaged to these thicknesses, one after the other; thinner ones stay as they are.
        parts: Boxes of each CT, by its case name, that show no disease of their own; the whole CT where none are
            named. Each becomes a case.
        seed: Of all that is drawn.
        ranges: Settings of :class:`transforms.synthesis.LesionRanges`.
    """

    versions: int = 12
    validation: int = 1
    healthy: float = 0.15
    thickness_mm: Sequence[float] = (0.0, 3.0, 5.0)
    parts: Mapping[str, Sequence[Part]] = field(default_factory=dict)
    seed: int = 0
    ranges: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.validation < self.versions:
            raise SettingError(
                "too few versions of each CT", where="versions", found=self.versions,
                expected=f"more than the {self.validation} for validation",
            )  # fmt: skip


def write_painted_dataset(
    out: Path, studies: Sequence[str | PathLike[str]], settings: PaintedSet, *, add: Sequence[Path] = ()
) -> Path:
    """Writes CTs with painted lesions as NIfTI, and the `dataset.json` that lists them.

    Args:
        out: Folder; gets `imagesTr/`, `labelsTr/` and `dataset.json`.
        studies: CTs whose lungs show no disease, or none in the parts that are used.
        settings: How many are made of each.
        add: Folders of other data sets whose cases are listed too; their files stay where they are.

    Returns:
        The path of `dataset.json`, which is written last.

    Raises:
        NotFoundError: When there is no CT.
        LabelError: When a CT shows no lungs.
        DataListError: When a data set that is to be added has no list.
        OutputError: When a file cannot be written.
    """
    listing: dict[str, list[dict[str, str]]] = {}
    for folder in add:
        for split, entries in _listed(folder, out).items():
            listing.setdefault(split, []).extend(entries)
    try:
        for kind in ("imagesTr", "labelsTr"):
            (out / kind).mkdir(parents=True, exist_ok=True)
        for case in [case for study in studies for case in find_cases(study)]:
            for split, names in _write_case(out, case, settings):
                listing.setdefault(split, []).extend(_entry(name) for name in names)
        labels = {str(value): name for name, value in {"background": 0, **DEFAULT_CLASSES}.items()}
        write_json(out / "dataset.json", {"name": "painted", "modality": {"0": "CT"}, "labels": labels, **listing})
    except OSError as error:
        raise OutputError("the data set cannot be written", where=out, found=error.strerror or str(error)) from error
    return out / "dataset.json"


def _entry(name: str) -> dict[str, str]:
    return {"case": name, "image": f"imagesTr/{name}.nii.gz", "label": f"labelsTr/{name}.nii.gz"}


def _listed(folder: Path, out: Path) -> dict[str, list[dict[str, str]]]:
    """The cases of another data set, their paths seen from a folder."""
    try:
        content = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataListError(
            "the data set to add has no list", where=folder / "dataset.json", remedy="Name a folder with one"
        ) from error
    return {
        split: [
            {
                key: os.path.relpath(folder / path, out) if key in ("image", "label") else path
                for key, path in entry.items()
            }
            for entry in content.get(split, [])
        ]
        for split in ("training", "validation", "test")
    }


def _write_case(out: Path, case: Case, settings: PaintedSet) -> list[tuple[str, list[str]]]:
    """Paints and writes all versions of one CT."""
    volume = read_ct(case.path, series_uid=case.series_uid)
    native = Grid(shape=volume.array.shape, affine=volume.affine)
    lungs = native_lungs(volume.array, volume.affine)
    if settings.parts and case.name not in settings.parts:
        _log.warning("%s: no parts are named for it, so that all of it is used", case.name)
    parts = [_box_of(part, native) for part in settings.parts.get(case.name, WHOLE)]
    written = []
    for version in tqdm(range(settings.versions), desc=f"{case.name}: painting", disable=None):
        names = []
        for number, box in enumerate(parts):
            grid = native.cropped([side.start for side in box], [side.stop for side in box])
            hu, labels, grid = _painted(volume.array[box], lungs[box], grid, settings, (version, number))
            names.append(f"{case.name}_{version:02d}_{number}")
            save_nifti(out / "labelsTr" / f"{names[-1]}.nii.gz", labels, grid.affine)
            save_nifti(out / "imagesTr" / f"{names[-1]}.nii.gz", hu, grid.affine)
        split = "validation" if version >= settings.versions - settings.validation else "training"
        written.append((split, names))
    _log.info("%s: %d versions of %d part(s)", case.name, settings.versions, len(parts))
    return written


def _painted(
    hu: NDArray[Any], lungs: NDArray[np.uint8], grid: Grid, settings: PaintedSet, number: tuple[int, int]
) -> tuple[NDArray[Any], NDArray[np.uint8], Grid]:
    """One version of a part: its slices averaged, its lesions painted."""
    version, part = number
    thickness_mm = settings.thickness_mm[version % len(settings.thickness_mm)]
    hu, lungs, grid = averaged(hu, lungs, grid, thickness_mm)
    paint = RandPaintLesions(settings.ranges, prob=1 - settings.healthy)
    paint.set_random_state(seed=(settings.seed * 1000 + version) * 100 + part)
    image, label = paint(_volume(hu, grid), _volume(lungs, grid))
    return image[0].numpy(), label[0].numpy(), grid


def _volume(voxels: NDArray[Any], grid: Grid) -> MetaTensor:
    return MetaTensor(torch.from_numpy(voxels)[None], affine=torch.from_numpy(grid.affine))


def averaged(
    hu: NDArray[Any], lungs: NDArray[np.uint8], native: Grid, thickness_mm: float
) -> tuple[NDArray[Any], NDArray[np.uint8], Grid]:
    """A CT as a scanner with thicker slices would give it: neighbouring slices averaged, their middle one's lungs.

    Args:
        hu: `(X, Y, Z)` on `native`.
        lungs: The lung mask there.
        native: The grid; slices lie along its last axis.
        thickness_mm: Wanted thickness: an odd number of slices that comes closest.
    """
    spacing = float(native.spacing_mm[2])
    count = max(1, 2 * round((thickness_mm / spacing - 1) / 2) + 1)
    groups = hu.shape[2] // count
    if count == 1 or groups < 2:
        return np.ascontiguousarray(hu), np.ascontiguousarray(lungs), native
    total = sum(hu[:, :, first : groups * count : count].astype(np.float32) for first in range(count))
    affine = native.affine.copy()
    affine[:3, 3] += affine[:3, 2] * (count // 2)
    affine[:3, 2] *= count
    thick = np.rint(np.asarray(total) / count).astype(np.int16)
    middle = np.ascontiguousarray(lungs[:, :, count // 2 : groups * count : count])
    return thick, middle, Grid(shape=(hu.shape[0], hu.shape[1], groups), affine=affine)


def _box_of(part: Part, grid: Grid) -> tuple[slice, slice, slice]:
    """The voxels of a grid that hold a box of the patient."""
    if len(part) != 3 or any(len(ends) != 2 for ends in part):
        raise SettingError("a part is no box", where="parts", found=part, expected="[[x0, x1], [y0, y1], [z0, z1]]")
    axes = np.argmax(np.abs(grid.affine[:3, :3]), axis=1)
    if len(set(axes.tolist())) != 3:
        raise GeometryError("the CT lies too oblique for boxes of it", where="parts", remedy="Use the whole CT")
    box = [slice(0, size) for size in grid.shape]
    for row, (axis, (low, high)) in enumerate(zip(axes.tolist(), part, strict=True)):
        places = grid.affine[row, 3] + grid.affine[row, axis] * np.arange(grid.shape[axis])
        inside = np.flatnonzero(
            (places >= (-np.inf if low is None else low)) & (places <= (np.inf if high is None else high))
        )
        if not inside.size:
            raise SettingError("a part lies outside of its CT", where="parts", found=part)
        box[axis] = slice(int(inside[0]), int(inside[-1]) + 1)
    return box[0], box[1], box[2]

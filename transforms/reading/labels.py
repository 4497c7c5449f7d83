"""Label maps, and whether they lie on the grid of their image."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from transforms.errors import GeometryError, LabelError, UnreadableError
from transforms.file_kinds import VOLUME_SUFFIXES
from transforms.reading.affines import GRID_TOLERANCE_MM, corner_distance_mm
from transforms.reading.load import read_volume_file
from transforms.reading.sources import check_source
from transforms.reading.volume import Volume, Voxels
from transforms.reading.voxels import slices_of

MAX_LABEL = 255
"""The largest value a label map can hold: it is `uint8`."""

_NAMED_VALUES = 8


class LoadLabelMapd(MapTransform):
    """Loads a label map, `uint8` MetaTensor `(1, X, Y, Z)`, in place of its path; with the meta of :class:`LoadCTd`.

    Args:
        keys: Keys of paths: `.nii`, `.nii.gz`, `.nrrd`, `.mha`, `.mhd`.
        allowed: The values that may occur; `None` for all of 0..255.
        allow_missing_keys: Leave out keys that an item does not have.

    Raises:
        LabelError: For values that are no integers of 0..255, or not among `allowed`.
        CTError: Another of the family for files that cannot be read or trusted.
    """

    def __init__(
        self, keys: KeysCollection, *, allowed: Sequence[int] | None = None, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.allowed = None if allowed is None else sorted(allowed)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with label maps in place of paths."""
        loaded = dict(data)
        for key in self.key_iterator(loaded):
            loaded[key] = read_label_map(data[key], allowed=self.allowed)
        return loaded


def read_label_map(path: str | PathLike[str], *, allowed: Sequence[int] | None = None) -> MetaTensor:
    """Reads a label map; arguments, result and errors as in :class:`LoadLabelMapd`."""
    given, source = fspath(path), Path(path)
    kind = check_source(source)
    if kind is None:
        raise UnreadableError(
            "the label map is of no known kind",
            where=given,
            expected=", ".join(VOLUME_SUFFIXES),
            remedy="Convert it to one of these",
        )
    stored, affine, repairs = read_volume_file(source, kind, smallest=True)
    labels = _as_labels(stored, given)
    if allowed is not None:
        check_allowed(labels, allowed, given)
    meta = Volume(array=stored, affine=affine, format=kind, path=given, repairs=repairs).meta()
    return MetaTensor(torch.from_numpy(labels)[None], affine=torch.from_numpy(affine), meta=meta)


class CheckSameGridd(MapTransform):
    """Checks that a label map lies on the grid of its image, before anything has moved either.

    Args:
        keys: The image's key, then the label maps'.
        allow_missing_keys: Leave out keys that an item does not have.

    Raises:
        GeometryError: When shapes differ, or a corner of one lies further than :data:`GRID_TOLERANCE_MM` from its place
            in the other.
    """

    def __init__(self, keys: KeysCollection = ("image", "label"), allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary unchanged."""
        image, *labels = [data[key] for key in self.key_iterator(dict(data))]
        for label in labels:
            check_same_grid(image, label)
        return dict(data)


def check_same_grid(image: MetaTensor, label: MetaTensor) -> None:
    """Raises what :class:`CheckSameGridd` raises, for two MetaTensors `(C, X, Y, Z)`."""
    shape, other = tuple(image.shape[1:]), tuple(label.shape[1:])
    files = f"{label.meta.get('filename_or_obj')} and {image.meta.get('filename_or_obj')}"
    remedy = "Resample the label map to the grid of the image (nearest neighbour), or give the image it was drawn on"
    if shape != other:
        raise GeometryError(
            f"label map and image are not on one grid: {files}",
            found=f"shapes {' x '.join(map(str, other))} and {' x '.join(map(str, shape))}",
            expected="equal shapes",
            remedy=remedy,
        )
    apart = corner_distance_mm(_matrix(image), _matrix(label), shape)
    if not apart <= GRID_TOLERANCE_MM:
        raise GeometryError(
            f"label map and image are not on one grid: {files}",
            found=f"corners {apart:.3g} mm apart",
            expected=f"at most {GRID_TOLERANCE_MM} mm",
            remedy=remedy,
        )


def _matrix(volume: MetaTensor) -> npt.NDArray[np.float64]:
    return np.asarray(volume.affine.cpu(), dtype=np.float64)


def _as_labels(stored: Voxels, where: str) -> npt.NDArray[np.uint8]:
    if stored.dtype.kind == "i" and stored.min() >= 0 and stored.max() <= MAX_LABEL:
        return stored.astype(np.uint8)
    wrong = sorted({value for piece in slices_of(stored) for value in _impossible(piece)})
    raise LabelError(
        "the label map holds values that are no labels",
        where=where,
        found=_some(wrong),
        expected=f"integers of 0 to {MAX_LABEL}",
        remedy="Store it as integers, without interpolation; a CT volume is no label map",
    )


def _impossible(piece: npt.NDArray[Any]) -> list[float]:
    values = np.unique(piece)
    wrong = values[~((values == np.rint(values)) & (values >= 0) & (values <= MAX_LABEL))]
    return [float(value) for value in wrong[: _NAMED_VALUES + 1]]


def check_allowed(labels: npt.NDArray[np.uint8], allowed: Sequence[int], where: str) -> None:
    """Raises `LabelError` when a label map `(X, Y, Z)` holds values that no class has."""
    counts = np.zeros(MAX_LABEL + 1, dtype=np.int64)
    for piece in slices_of(labels):
        counts += np.bincount(piece.ravel(order="K"), minlength=MAX_LABEL + 1)
    wrong = sorted(set(np.flatnonzero(counts).tolist()) - set(allowed))
    if wrong:
        raise LabelError(
            "the label map holds values that no class has",
            where=where,
            found=", ".join(f"{value} ({counts[value]} voxels)" for value in wrong[:_NAMED_VALUES]),
            expected=f"only {', '.join(map(str, allowed))}",
            remedy="Name all classes of the label map, or map its values to those of the classes",
        )


def _some(values: Sequence[float]) -> str:
    text = ", ".join(f"{value:g}" for value in values[:_NAMED_VALUES])
    return text + (", ..." if len(values) > _NAMED_VALUES else "")

"""The kinds of result files that a case can have, by the names that ``--write`` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.export.files import write_json
from pipeline.export.measurements import Measurements
from pipeline.export.nifti import write_label_map, write_volume
from pipeline.export.preview import write_preview
from transforms.errors import SettingError

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class CaseContent:
    """All that result files are made of, on the native grid.

    Attributes:
        case: The case's name.
        hu: The volume as read, ``(X, Y, Z)``.
        label_map: ``uint8 (X, Y, Z)``.
        lungs: ``uint8 (X, Y, Z)``, 1 left and 2 right; None where no lungs were found.
        probabilities: ``(C, X, Y, Z)`` float16 or float32; None where they were not kept.
        affine: ``float64 (4, 4)`` voxel to RAS+ millimetres.
        classes: Class name to label value.
        measurements: The case's numbers.
        meta: Meta of the volume.
    """

    case: str
    hu: Array
    label_map: Array
    lungs: Array | None
    probabilities: Array | None
    affine: npt.NDArray[np.float64]
    classes: Mapping[str, int]
    measurements: Measurements
    meta: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ResultKind:
    """One kind of result.

    Attributes:
        files: Names of the files it writes into the case's folder.
        write: Writes them.
        fits: Tells whether this case can have them (lungs were found, the input was DICOM).
    """

    files: tuple[str, ...]
    write: Callable[[Path, CaseContent], None]
    fits: Callable[[CaseContent], bool] = lambda content: True


def check_kinds(write: Iterable[str]) -> tuple[str, ...]:
    """Check the names of result kinds, before any work is done for them.

    Args:
        write: Names of kinds.

    Returns:
        The names, each once, in the order in which they are written.

    Raises:
        SettingError: When a name is not known.
    """
    asked = (write,) if isinstance(write, str) else tuple(write)
    unknown = sorted(set(asked) - set(RESULT_KINDS))
    if unknown:
        raise SettingError(
            "unknown kind of result",
            where="write",
            found=", ".join(unknown),
            expected=f"some of {', '.join(RESULT_KINDS)}",
        )
    return tuple(kind for kind in RESULT_KINDS if kind in asked)


def _write_labels(folder: Path, content: CaseContent) -> None:
    write_label_map(content.label_map, content.affine, folder / "labels.nii.gz")


def _write_lungs(folder: Path, content: CaseContent) -> None:
    if content.lungs is not None:
        write_label_map(content.lungs, content.affine, folder / "lungs.nii.gz")


def _write_measurements(folder: Path, content: CaseContent) -> None:
    write_json(folder / "measurements.json", content.measurements.as_json())


def _write_report(folder: Path, content: CaseContent) -> None:
    write_preview(
        folder / "preview.png",
        content.hu,
        content.label_map,
        content.affine,
        content.classes,
        lungs=content.lungs,
    )


def _write_probabilities(folder: Path, content: CaseContent) -> None:
    if content.probabilities is None:
        raise SettingError(
            "probabilities were asked for, but the case holds none",
            where="write",
            expected="the key `probabilities` (C, X, Y, Z) on the native grid after postprocessing",
            remedy="Leave `probabilities` out, or keep them in the bundle's postprocessing",
        )
    write_volume(np.moveaxis(content.probabilities, 0, -1), content.affine, folder / "probabilities.nii.gz")


#: Name to kind, in the order of writing. A new kind is one more entry.
RESULT_KINDS: dict[str, ResultKind] = {
    "nifti": ResultKind(files=("labels.nii.gz",), write=_write_labels),
    "lungs": ResultKind(files=("lungs.nii.gz",), write=_write_lungs, fits=lambda content: content.lungs is not None),
    "measurements": ResultKind(files=("measurements.json",), write=_write_measurements),
    "report": ResultKind(files=("preview.png",), write=_write_report),
    "probabilities": ResultKind(files=("probabilities.nii.gz",), write=_write_probabilities),
}

#: What is written when nothing is said.
DEFAULT_KINDS: tuple[str, ...] = tuple(kind for kind in RESULT_KINDS if kind != "probabilities")

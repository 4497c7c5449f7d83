"""The kinds of result files that a case can have, by the names that ``--write`` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.export.dicom.case_source import case_source
from pipeline.export.dicom.options import SegOptions
from pipeline.export.dicom.plan import SegPlan, plan_seg
from pipeline.export.dicom.source import Source
from pipeline.export.files import write_json
from pipeline.export.measurements import Measurements
from pipeline.export.nifti import write_label_map, write_volume
from pipeline.export.preview import write_preview
from pipeline.export.provenance import BundleIdentity
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
        probabilities: ``(C, X, Y, Z)`` float16 or float32, of the network's grid; None where they were not kept.
        probabilities_affine: ``float64 (4, 4)`` of the network's grid.
        affine: ``float64 (4, 4)`` voxel to RAS+ millimetres.
        classes: Class name to label value.
        measurements: The case's numbers.
        meta: Meta of the volume.
        bundle: What segmented it.
        seg_options: Settings of the DICOM SEG.
        kinds: The kinds of results that are asked for, for those that refer to each other.
        record: The case's provenance as far as it is known; None until the kinds that need none are written.
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
    bundle: BundleIdentity
    seg_options: SegOptions = field(default_factory=SegOptions)
    kinds: tuple[str, ...] = ()
    record: Mapping[str, Any] | None = None
    probabilities_affine: npt.NDArray[np.float64] | None = None

    @cached_property
    def source(self) -> Source | str:
        """The DICOM slices that the volume maps to; where there are none, why, or nothing for other formats."""
        return case_source(self.meta, self.affine, self.hu.shape)

    @cached_property
    def seg_plan(self) -> SegPlan:
        """The segments and identifiers that SEG and SR share."""
        return plan_seg(self.classes, with_lungs=self.lungs is not None, options=self.seg_options)


@dataclass(frozen=True, kw_only=True)
class ResultKind:
    """One kind of result.

    Attributes:
        files: Names of the files it writes into the case's folder.
        write: Writes them.
        fits: Tells whether this case can have them (lungs were found, the input was DICOM).
        why_not: Says as a finding why a case cannot have them; nothing where that goes without saying.
        needs_record: Tells of the case's provenance, and is written once that is known.
        needs_measurements: Tells of the lungs or of what was measured; where no kind does, nothing is measured, which
            takes longer than all else.
    """

    files: tuple[str, ...]
    write: Callable[[Path, CaseContent], None]
    fits: Callable[[CaseContent], bool] = lambda content: True
    why_not: Callable[[CaseContent], str] = lambda content: ""
    needs_record: bool = False
    needs_measurements: bool = True


def need_measurements(kinds: Iterable[str]) -> bool:
    """Tell whether any of these kinds tells of the lungs or of what is measured.

    Args:
        kinds: Names of kinds.
    """
    return any(RESULT_KINDS[kind].needs_measurements for kind in kinds)


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
    from pipeline.reports.case import REPORT_FILE, write_report

    write_preview(
        folder / "preview.png",
        content.hu,
        content.label_map,
        content.affine,
        content.classes,
        lungs=content.lungs,
    )
    if content.record is not None:
        write_report(folder / REPORT_FILE, content, content.record)


def _write_probabilities(folder: Path, content: CaseContent) -> None:
    if content.probabilities is None or content.probabilities_affine is None:
        raise SettingError(
            "probabilities were asked for, but the case holds none",
            where="write",
            expected="the key `probabilities` (C, X, Y, Z) after postprocessing, with the affine of its grid",
            remedy="Leave `probabilities` out, or keep them in the bundle's postprocessing",
        )
    shares = np.moveaxis(content.probabilities, 0, -1)
    write_volume(shares, content.probabilities_affine, folder / "probabilities.nii.gz")


def _write_seg(folder: Path, content: CaseContent) -> None:
    from pipeline.export.dicom import write_seg

    if not isinstance(content.source, str):
        write_seg(
            folder / "labels.seg.dcm",
            content.label_map,
            content.source,
            content.seg_plan,
            bundle=content.bundle,
            lungs=content.lungs,
        )


def _write_sr(folder: Path, content: CaseContent) -> None:
    from pipeline.export.dicom import write_sr

    if not isinstance(content.source, str):
        write_sr(
            folder / "measurements.sr.dcm",
            content.measurements,
            content.source,
            content.seg_plan,
            bundle=content.bundle,
            refer_to_seg="seg" in content.kinds,
        )


def _is_dicom(content: CaseContent) -> bool:
    return not isinstance(content.source, str)


def _why_no_dicom(content: CaseContent) -> str:
    return content.source if isinstance(content.source, str) else ""


#: Name to kind, in the order of writing. A new kind is one more entry.
RESULT_KINDS: dict[str, ResultKind] = {
    "nifti": ResultKind(files=("labels.nii.gz",), write=_write_labels, needs_measurements=False),
    "lungs": ResultKind(files=("lungs.nii.gz",), write=_write_lungs, fits=lambda content: content.lungs is not None),
    "measurements": ResultKind(files=("measurements.json",), write=_write_measurements),
    "seg": ResultKind(files=("labels.seg.dcm",), write=_write_seg, fits=_is_dicom, why_not=_why_no_dicom),
    "sr": ResultKind(files=("measurements.sr.dcm",), write=_write_sr, fits=_is_dicom, why_not=_why_no_dicom),
    "report": ResultKind(files=("preview.png", "report.html"), write=_write_report, needs_record=True),
    "probabilities": ResultKind(files=("probabilities.nii.gz",), write=_write_probabilities, needs_measurements=False),
}

#: What is written when nothing is said.
DEFAULT_KINDS: tuple[str, ...] = tuple(kind for kind in RESULT_KINDS if kind != "probabilities")

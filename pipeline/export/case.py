"""All result files of one segmented case, in an order that leaves nothing half done behind."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.data.meta_tensor import MetaTensor

from pipeline.export.dicom.options import SegOptions
from pipeline.export.files import cannot_write, make_folder, sweep
from pipeline.export.kinds import DEFAULT_KINDS, RESULT_KINDS, CaseContent, check_kinds, need_measurements
from pipeline.export.lung_masks import MaskRestorer, lungs_of_case, same_affine, with_lesions
from pipeline.export.measurements import Measurements, measure
from pipeline.export.provenance import (
    PROVENANCE_FILE,
    BundleIdentity,
    RunRecord,
    completed,
    provenance,
    write_provenance,
)
from pipeline.export.table import CASES_TABLE, CellValue, done_row
from pipeline.export.volumes import volumes_alone
from transforms.errors import GeometryError

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class CaseResult:
    """What :func:`write_case` left behind.

    Attributes:
        folder: The case's folder.
        files: Names of the files in it that belong to this run.
        measurements: The case's numbers.
        row: The case's row for ``cases.csv``.
    """

    folder: Path
    files: tuple[str, ...]
    measurements: Measurements
    row: Mapping[str, CellValue]


def write_case(
    folder: str | PathLike[str],
    data: Mapping[str, Any],
    *,
    classes: Mapping[str, int],
    bundle: BundleIdentity,
    stages: Mapping[str, float],
    write: Collection[str] = DEFAULT_KINDS,
    seg: SegOptions | None = None,
    options: Mapping[str, Any] | None = None,
    device: str | None = None,
    started: datetime | None = None,
    restore: MaskRestorer | None = None,
    lung_lesions: Collection[str] = (),
    run: RunRecord | None = None,
) -> CaseResult:
    """Write the result files of a case, ``provenance.json`` last.

    An older ``provenance.json`` is removed first: a case that is interrupted here is not taken for done. Files of
    the asked kinds that this case cannot have (``lungs.nii.gz`` where no lungs were found) are removed too.

    Args:
        folder: The case's folder; created where missing.
        data: The data dictionary after postprocessing: ``case``, ``native`` (volume in HU), ``pred`` (label map on
            the native grid), and where there are any ``lungs`` (mask with its own affine) and ``probabilities``
            (``(C, X, Y, Z)``, on the grid of their affine).
        classes: Class name to label value.
        bundle: The bundle that was run.
        stages: Stage to seconds, so far; the writing is added.
        write: Kinds of results, of :data:`~pipeline.export.kinds.RESULT_KINDS`.
        seg: Settings of the DICOM SEG; the usual where None.
        options: Options of the run, for the provenance.
        device: Name of the device, for the provenance.
        started: When the case was begun.
        restore: Brings a coarse lung mask to the native grid; by default the lungs are found there anew, and the coarse
            mask is interpolated only where that fails.
        lung_lesions: Names of the classes whose lesions at the lungs' border are taken into the lungs.
        run: What a later run into the same folder needs to know.

    Returns:
        The files, the measurements and the row for ``cases.csv``.

    Raises:
        GeometryError: When the label map is not on the native grid.
        OutputError: When a file cannot be written.
        SettingError: When a kind is not known or cannot be written from these data.
    """
    kinds = check_kinds(write)
    begun = time.perf_counter()
    target = make_folder(folder)
    _remove(target / PROVENANCE_FILE)
    sweep(target)
    content = case_content(
        data, classes=classes, bundle=bundle, seg=seg, kinds=kinds, restore=restore, lung_lesions=lung_lesions
    )
    early = [kind for kind in kinds if not RESULT_KINDS[kind].needs_record]
    files, why_not = _write_kinds(target, early, content)
    seconds = {**stages, "write": time.perf_counter() - begun}
    record = provenance(
        content.case,
        content.hu,
        content.meta,
        bundle=bundle,
        stages=seconds,
        findings=[*_findings(data), *why_not],
        options=options,
        device=device,
        started=started,
        run=run,
    )
    late = [kind for kind in kinds if RESULT_KINDS[kind].needs_record]
    told, _ = _write_kinds(target, late, replace(content, record=record))
    seconds["write"] = time.perf_counter() - begun
    files = [file for kind in kinds for file in RESULT_KINDS[kind].files if file in {*files, *told}]
    row = done_row(content.measurements, seconds=sum(seconds.values()), whole=need_measurements(kinds))
    write_provenance(target, completed(record, stages=seconds, files=files, tables={CASES_TABLE: [row]}))
    return CaseResult(
        folder=target,
        files=(*files, PROVENANCE_FILE),
        measurements=content.measurements,
        row=row,
    )


def case_content(
    data: Mapping[str, Any],
    *,
    classes: Mapping[str, int],
    bundle: BundleIdentity,
    seg: SegOptions | None = None,
    kinds: tuple[str, ...] = (),
    restore: MaskRestorer | None = None,
    lung_lesions: Collection[str] = (),
) -> CaseContent:
    """Bring together, on the native grid, what result files are made of.

    Args:
        data: The data dictionary after postprocessing.
        classes: Class name to label value.
        bundle: The bundle that was run.
        seg: Settings of the DICOM SEG; the usual where None.
        kinds: The kinds of results that are asked for. Where none of them tells of the lungs or of measurements, the
            lungs are not looked for, and of the classes the volumes alone are measured.
        restore: Brings a coarse lung mask to the native grid; by default the lungs are found there anew, and the coarse
            mask is interpolated only where that fails.
        lung_lesions: Names of the classes whose lesions at the lungs' border are taken into the lungs.

    Returns:
        Arrays that share the tensors' memory, and the measurements.

    Raises:
        GeometryError: When the label map is not on the native grid.
    """
    native, pred = data["native"], data["pred"]
    affine = _affine(native)
    _check_grid(data["case"], native, pred)
    hu, label_map = _array(native)[0], _array(pred)[0].astype(np.uint8, copy=False)
    measured = not kinds or need_measurements(kinds)
    lungs = lungs_of_case(data.get("lungs"), hu, affine, restore) if measured else None
    lungs = with_lesions(lungs, label_map, affine, classes, lung_lesions)
    case = str(data["case"])
    probabilities = data.get("probabilities")
    return CaseContent(
        case=case,
        hu=hu,
        label_map=label_map,
        lungs=lungs,
        probabilities=None if probabilities is None else _array(probabilities),
        probabilities_affine=None if probabilities is None else _affine(probabilities),
        affine=affine,
        classes=classes,
        measurements=measure(label_map, hu, lungs, affine, classes, case=case)
        if measured
        else volumes_alone(label_map, affine, classes, case=case),
        meta={**native.meta, **_region(data.get("image"))},
        bundle=bundle,
        seg_options=seg or SegOptions(),
        kinds=kinds,
    )


def _write_kinds(folder: Path, kinds: Collection[str], content: CaseContent) -> tuple[list[str], list[str]]:
    """Write the kinds that the case can have; returns the files, and why it cannot have others."""
    files: list[str] = []
    why_not: list[str] = []
    for name in kinds:
        kind = RESULT_KINDS[name]
        if kind.fits(content):
            kind.write(folder, content)
            files.extend(kind.files)
        else:
            why_not.append(kind.why_not(content))
            for file in kind.files:
                _remove(folder / file)
    return files, [reason for reason in dict.fromkeys(why_not) if reason]


def _check_grid(case: str, native: torch.Tensor, pred: torch.Tensor) -> None:
    same_shape = tuple(pred.shape) == (1, *native.shape[1:])
    if not same_shape or (isinstance(pred, MetaTensor) and not same_affine(_affine(pred), _affine(native))):
        raise GeometryError(
            "the label map is not on the grid of the input",
            where=case,
            found=f"a label map of shape {tuple(pred.shape)}" + (" and another affine" if same_shape else ""),
            expected=f"{(1, *native.shape[1:])} and the input's affine",
            remedy="Restore the label map to the native grid in the bundle's postprocessing",
        )


def _affine(volume: Any) -> npt.NDArray[np.float64]:
    return np.asarray(volume.affine, dtype=np.float64)


def _array(volume: torch.Tensor) -> Array:
    array: Array = volume.detach().cpu().numpy()
    return array


def _findings(data: Mapping[str, Any]) -> list[str]:
    """Collect the findings of all volumes; each is said once."""
    metas = (data[key].meta for key in ("native", "image", "pred") if isinstance(data.get(key), MetaTensor))
    return list(dict.fromkeys(str(finding) for meta in metas for finding in meta.get("findings") or ()))


def _region(image: Any) -> dict[str, Any]:
    """The region of interest in force, which the image knows after preprocessing."""
    return {"region": image.meta["region"]} if isinstance(image, MetaTensor) and "region" in image.meta else {}


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error

"""A case of DICOM files: its series, which of them is taken and why, and what the reader makes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pipeline.datasets.studies import Case
from pipeline.inspection.results import CaseInspection, VolumeInspection
from pipeline.inspection.series import inspect_series
from pipeline.inspection.verdicts import judge
from pipeline.inspection.volume import volume_of
from transforms.dicom_headers import DicomFile, Scan, Slice, scan
from transforms.errors import CTError, SeriesError
from transforms.reading.dicom import Candidate, SeriesPlan, candidates_of, choose_series, plan_series, rounds


def inspect_dicom(case: Case, files: Sequence[DicomFile], allow: frozenset[str]) -> CaseInspection:
    """Looks at the headers of a case's files.

    The pixels of slices that lie at one place are compared, as the verdict hangs on it; no others are read.
    """
    where = str(case.path)
    found, broken = _scanned(files)

    def plan(allowed: frozenset[str]) -> SeriesPlan:
        if broken is not None:
            raise broken
        return plan_series(found, where, series_uid=case.series_uid, allow=allowed)

    planned, verdict = judge(plan, allow)
    candidates = candidates_of(found)
    taken = _taken(found, where, case.series_uid)
    reasons = _reasons(candidates, taken, case.series_uid)
    return CaseInspection(
        case=case.name,
        path=where,
        format="dicom",
        verdict=verdict,
        volume=None if planned is None else _volume(planned),
        repairs=() if planned is None else planned.repairs,
        series=tuple(
            inspect_series(one, taken=one.slices[0] is taken, reason=reason)
            for one, reason in zip(candidates, reasons, strict=True)
        ),
        passed_over=tuple(sorted(found.passed_over.items())),
    )


def _scanned(files: Sequence[DicomFile]) -> tuple[Scan, CTError | None]:
    """All that can be read of the headers, and the reader's error where it stops at a file."""
    try:
        return scan(files), None
    except CTError as error:
        slices: list[Slice] = []
        passed_over: Counter[str] = Counter()
        for file in files:
            try:
                one = scan([file])
            except CTError:
                passed_over["unreadable"] += 1
            else:
                slices += one.slices
                passed_over += one.passed_over
        return Scan(slices, passed_over), error


def _taken(found: Scan, where: str, series_uid: str | None) -> Slice | None:
    """The first slice, as they were found, of the series that the reader chooses."""
    try:
        return choose_series(found, where, series_uid)[0][0]
    except SeriesError:
        return None


def _reasons(candidates: Sequence[Candidate], taken: Slice | None, series_uid: str | None) -> list[str]:
    competing = [one for one in candidates if series_uid in (None, one.uid, one.name)]
    steps = rounds(competing) if competing else []

    def reason(one: Candidate) -> str:
        if one not in competing:
            return "another one was named"
        lost = next((step.loses for step in steps if one not in step.left), None)
        if one.slices[0] is not taken:
            return lost if lost and taken else "nothing says which stack of the series to read"
        if len(competing) == 1:
            return "the only one" if series_uid is None else "named"
        return "covers the most, with the thinnest slices and the softest kernel, in this order"

    return [reason(one) for one in candidates]


def _volume(plan: SeriesPlan) -> VolumeInspection:
    first, grid = plan.slices[0], plan.grid
    wider = (0, 0) if grid.shear is None else grid.shear.margin.sum(axis=1).tolist()
    planes = len(plan.slices) if grid.planes is None else len(grid.planes.lower)
    return volume_of((first.columns + wider[0], first.rows + wider[1], planes), grid.affine)

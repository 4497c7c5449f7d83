"""One case: what is there, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.datasets.studies import Case
from pipeline.inspection.results import CaseInspection, Verdict
from transforms.errors import CTError
from transforms.reading.allowances import check_allowances
from transforms.reading.sources import check_source, dicom_files


def inspect_case(case: Case, *, allow: Sequence[str] = (), values: bool = False) -> CaseInspection:
    """Looks at a case without reading its voxels; what is wrong with it becomes its verdict.

    Args:
        case: Where it is, and perhaps which series is asked for.
        allow: What the reader would otherwise refuse, see :data:`transforms.reading.ALLOWANCES`.
        values: Read the voxels too, and judge whether they are Hounsfield units.

    Raises:
        SettingError: For an allowance that there is not.
    """
    allowed = check_allowances(allow)
    try:
        found = _by_headers(case, allowed)
    except CTError as error:
        verdict = Verdict(kind="refused", error_kind=type(error).__name__, error=str(error))
        return CaseInspection(case=case.name, path=str(case.path), format=None, verdict=verdict)
    if not values or found.verdict.kind == "refused":
        return found
    from pipeline.inspection.values import inspect_values  # imports SimpleITK, which headers do without

    seen, repairs, verdict = inspect_values(case, found.verdict, allowed)
    refused = verdict.kind == "refused"
    return replace(found, values=seen, repairs=repairs, verdict=verdict, volume=None if refused else found.volume)


def _by_headers(case: Case, allow: frozenset[str]) -> CaseInspection:
    kind = check_source(case.path)
    if kind is not None:
        from pipeline.inspection.volume_file import inspect_volume_file  # nibabel or SimpleITK

        return inspect_volume_file(case, kind)
    from pipeline.inspection.dicom import inspect_dicom

    with dicom_files(case.path, str(case.path), case.series_uid) as files:
        return inspect_dicom(case, files, allow)

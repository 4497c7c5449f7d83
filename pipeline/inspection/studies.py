"""Studies: the cases that are in them, each looked at."""

from __future__ import annotations

from collections.abc import Sequence
from os import fspath
from pathlib import Path

from pipeline.datasets.case_names import case_names
from pipeline.datasets.studies import Case, FoundCases, Study, search_cases
from pipeline.dicomweb.address import is_address, series_address
from pipeline.inspection.case import inspect_case
from pipeline.inspection.results import StudyInspection
from transforms.errors import NotFoundError, SettingError


def inspect_studies(
    studies: Sequence[Study],
    *,
    pattern: str | None = None,
    series_uid: str | None = None,
    allow: Sequence[str] = (),
    values: bool = False,
) -> StudyInspection:
    """Looks at every case of some studies, without reading voxels.

    Args:
        studies: What :func:`pipeline.datasets.find_cases` takes. One in which that finds nothing to read is looked at
            as a case itself, to say what is there instead.
        pattern: A glob relative to each folder.
        series_uid: The DICOM series to read.
        allow: What the reader would otherwise refuse.
        values: Read the voxels too, and judge whether they are Hounsfield units.

    Raises:
        NotFoundError: When a path does not exist, or nothing matches the pattern.
        DataListError: When a CSV is wrong.
        SettingError: For an allowance that there is not, and for the address of a study in an archive.
    """
    for address in filter(is_address, studies):
        where = str(series_address(fspath(address)))
        raise SettingError(
            "only files can be inspected", where=where, remedy="Fetch the series, and inspect its folder"
        )
    barren = [Path(fspath(study)) for study in studies if _holds_nothing(study, pattern, series_uid)]
    fruitful = [study for study in studies if Path(fspath(study)) not in barren]
    found = search_cases(fruitful, pattern=pattern, series_uid=series_uid) if fruitful else FoundCases([], [])
    names = case_names(barren, taken=[case.name for case in found.cases])
    themselves = [Case(name=name, path=path, series_uid=series_uid) for name, path in zip(names, barren, strict=True)]
    return StudyInspection(
        cases=tuple(inspect_case(case, allow=allow, values=values) for case in (*found.cases, *themselves)),
        left_out=tuple((str(folder), what) for folder, what in found.left_out),
    )


def _holds_nothing(study: Study, pattern: str | None, series_uid: str | None) -> bool:
    """Whether a study is there, but no case is found in it."""
    path = Path(fspath(study))
    if pattern is not None or not path.exists() or path.suffix.lower() == ".csv":
        return False
    try:
        search_cases([study], series_uid=series_uid)
    except NotFoundError:
        return True
    return False

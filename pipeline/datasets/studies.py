"""Studies to cases: what a user points at, to the volumes that are processed one by one.

Imports neither torch nor MONAI: the command line answers before they are there.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from glob import glob, has_magic
from os import PathLike, fspath
from pathlib import Path
from typing import NamedTuple

from pipeline.datasets.case_names import case_names, safe_name
from pipeline.datasets.spread_series import spread_series
from pipeline.datasets.study_folders import FolderSearch
from pipeline.datasets.study_tables import Row, read_study_table
from pipeline.dicomweb.address import SeriesAddress, is_address, series_address
from transforms.errors import ArchiveError, CTError, DataListError, NotFoundError

logger = logging.getLogger(__name__)

Study = str | PathLike[str]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One series being processed."""

    name: str
    """Safe as a folder name, and no other case's."""
    path: Path
    """A volume file, a DICOM folder or file, or a zip."""
    series_uid: str | None = None
    """The DICOM series to read; `None` leaves the choice to the reader's rule."""
    address: str | None = None
    """Where in a DICOMweb archive the series is; `path` then only stands for it, and there is nothing there."""

    def data(self) -> dict[str, str]:
        """The data dictionary that the transforms begin with: `case`, `image`, and `series_uid` where there is one."""
        chosen = {} if self.series_uid is None else {"series_uid": self.series_uid}
        return {"case": self.name, "image": self.address or str(self.path), **chosen}


class FoundCases(NamedTuple):
    """What a search found."""

    cases: list[Case]
    left_out: list[tuple[Path, str]]
    """For each folder that was searched, what in it was not taken for a case."""


def find_cases(
    study: Study | Sequence[Study], *, pattern: str | None = None, series_uid: str | None = None
) -> list[Case]:
    """The cases of one or several studies, in a stable order.

    What is named or matched is taken; only a folder that is searched is chosen from: masks (by their name), hidden
    files and result files of ours are left out there, and DICOM folders without CT.

    Args:
        study: A file, a DICOM folder or zip, a folder of any of these (nested as may be), a CSV with a column `path`
            (relative to it) and perhaps `case` and `series_uid`, a glob, the address of a study or series in a DICOMweb
            archive; or several of these.
        pattern: A glob relative to each folder: what it matches is taken, and nothing else.
        series_uid: The DICOM series to read; folders that do not hold it are left out.

    Raises:
        NotFoundError: When a path does not exist, or nothing in it can be used.
        DataListError: When a CSV is wrong, or gives one name to two cases.
        UnreadableError: When a folder may not be read.
        SettingError: When an address is wrong, or carries a password.
        MissingExtraError: When there is an address, and no `dicomweb-client`.
    """
    found = search_cases(
        [study] if isinstance(study, str | PathLike) else study, pattern=pattern, series_uid=series_uid
    )
    for folder, what in found.left_out:
        logger.info("%s: %s", folder, what)
    return found.cases


def search_cases(studies: Sequence[Study], *, pattern: str | None = None, series_uid: str | None = None) -> FoundCases:
    """The cases as :func:`find_cases` has them, with what the search left out."""
    search = FolderSearch(series_uid)
    found = {fspath(one): _rows(fspath(one), pattern, search) for one in studies}
    if not any(found.values()):
        raise _nothing(list(found), pattern, search)
    # A folder that was named and holds nothing is a case that fails by itself, beside the others.
    rows = [row for study, own in found.items() for row in own or _named_folder(study, pattern)]
    whole = _in_whole_series(rows, search)
    unique = list({(row.path.absolute(), row.series_uid): row for row in reversed(whole)}.values())[::-1]
    return FoundCases(_named(unique, series_uid), search.left_out())


def _rows(study: str, pattern: str | None, search: FolderSearch) -> list[Row]:
    if is_address(study):
        return [Row(path=one.as_path(), address=str(one)) for one in _in_archive(series_address(study), search)]
    path = Path(study)
    if not path.exists():
        if not has_magic(study):
            raise NotFoundError("there is no such file or folder", where=study, remedy="Check the path")
        return [row for match in sorted(glob(study, recursive=True)) for row in _rows(match, None, search)]
    if path.is_file():
        return read_study_table(path) if path.suffix.lower() == ".csv" else [Row(path=path)]
    if pattern is None:
        return [Row(path=found) for found in search.studies_in(path)]
    return [Row(path=found) for match in sorted(path.glob(pattern)) for found in _matched(match, search)]


def _in_archive(address: SeriesAddress, search: FolderSearch) -> list[SeriesAddress]:
    """The series to fetch. Nothing is fetched yet, and of a single series nothing asked."""
    wanted, study = search.series_uid, Path(address.study_uid)
    if wanted is not None and address.series_uid not in (None, wanted):
        search.leave_out(study, "series other than the one asked for")
        return []
    if wanted is not None or address.series_uid is not None:
        return [replace(address, series_uid=address.series_uid or wanted)]
    from pipeline.dicomweb.query import find_series

    try:
        found = find_series(address)
    except ArchiveError:
        return [address]  # a case that fails by itself, with its own message, beside the others
    for reason in found.left_out:
        search.leave_out(study, reason)
    return found.series


def _in_whole_series(rows: Sequence[Row], search: FolderSearch) -> list[Row]:
    """The rows with every DICOM series in one of them, in whichever of the folders its slices lie."""
    instead = spread_series(search.dicom_folders, search.series_uid)
    for folder in (folder for folder, series in instead.items() if not series):
        search.leave_out(search.dicom_folders[folder], "DICOM folder(s) with slices that others hold too")
    chosen = search.series_uid is not None  # then the case takes it as it was given: it may name a part
    new = {
        folder: [Row(path=one.folder, series_uid=None if chosen else one.series_uid) for one in series]
        for folder, series in instead.items()
    }
    return [one for row in rows for one in new.get(row.path, [row])]


def _named_folder(study: str, pattern: str | None) -> list[Row]:
    return [Row(path=Path(study))] if pattern is None and Path(study).is_dir() else []


def _matched(match: Path, search: FolderSearch) -> list[Path]:
    return search.studies_in(match) if match.is_dir() else [match]


def _named(rows: Sequence[Row], series_uid: str | None) -> list[Case]:
    given = [safe_name(row.case) for row in rows if row.case]
    doubled = sorted({name for name in given if given.count(name) > 1})
    if doubled:
        raise DataListError(
            "one name is given to several cases",
            found=", ".join(doubled[:5]),
            remedy="Give each case a name of its own",
        )
    derived = iter(case_names([row.path for row in rows if not row.case], taken=given))
    return [
        Case(
            name=safe_name(row.case) if row.case else next(derived),
            path=row.path,
            series_uid=row.series_uid or series_uid,
            address=row.address,
        )
        for row in rows
    ]


def _nothing(studies: Sequence[str], pattern: str | None, search: FolderSearch) -> CTError:
    left_out = "; ".join(what for _, what in search.left_out())
    return NotFoundError(
        "there is nothing to read" if pattern is None else f"nothing matches the pattern {pattern!r}",
        where=", ".join(studies[:3]) or None,
        found=left_out or "no file of a known kind",
        expected="CT as DICOM, .nii, .nii.gz, .nrrd, .mha, .mhd or .zip",
        remedy="Name the files, pick them with --pattern, or check --series-uid" if left_out else "Check the path",
    )

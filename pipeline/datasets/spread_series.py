"""DICOM series whose slices lie in several folders: one case, not a case a folder."""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from transforms.errors import UnreadableError
from transforms.file_kinds import is_dicom, is_hidden

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

logger = logging.getLogger(__name__)

_STUDY, _SERIES, _INSTANCE = "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"
_POSITION, _ORIENTATION = "ImagePositionPatient", "ImageOrientationPatient"
_WHAT_IT_IS = ["SOPClassUID", "Modality", "ImageType", "SamplesPerPixel", _STUDY]
_WHICH_AND_WHERE = [*_WHAT_IT_IS, _SERIES, _INSTANCE, _POSITION, _ORIENTATION]

_Place = tuple[float, ...] | None
_Slices = dict[str, _Place]  # by their SOP instance UIDs


class SeriesOf(NamedTuple):
    """One series in a folder, or in those below it."""

    folder: Path
    series_uid: str


def spread_series(folders: Mapping[Path, Path], series_uid: str | None = None) -> dict[Path, list[SeriesOf]]:
    """What to read instead of folders that hold a series in part: the folder that holds all of it, and what else is in.

    Folders with the same slices are copies, each whole. Folders with other slices at the same place hold other stacks,
    to which one UID was given: each is taken as it is. A folder of which all slices lie in another too is left out, but
    where the user named it: it gets an empty list.

    Args:
        folders: DICOM folders, and for each the one that the user gave. Only the files directly in them are looked at,
            and only where two of them hold slices of one study.
        series_uid: Only this series is looked at.
    """
    by_study: dict[str, list[Path]] = defaultdict(list)
    for folder in folders if len(folders) > 1 else ():
        by_study[_study(folder)].append(folder)
    instead: dict[Path, list[SeriesOf]] = {}
    for study, together in by_study.items():
        if study and len(together) > 1:
            held = {folder: _series_of(folder, series_uid) for folder in together}
            instead |= _instead(held, folders)
    return instead


def _instead(held: Mapping[Path, Mapping[str, _Slices]], given: Mapping[Path, Path]) -> dict[Path, list[SeriesOf]]:
    read_from = {folder: {uid: {folder} for uid in series} for folder, series in held.items()}
    for uid in sorted({uid for series in held.values() for uid in series}):
        parts = {folder: series[uid] for folder, series in held.items() if uid in series}
        for folder in parts:
            read_from[folder][uid] = _holders(folder, uid, parts, given)
    return {
        folder: [SeriesOf(_common(holders), uid) for uid, holders in sorted(series.items()) if folder in holders]
        for folder, series in read_from.items()
        if any(holders != {folder} for holders in series.values())
    }


def _holders(folder: Path, uid: str, parts: Mapping[Path, _Slices], given: Mapping[Path, Path]) -> set[Path]:
    """The folders from which a series that lies in this one is read: itself, others, or both."""
    whole = {one for one in parts if not any(parts[one].keys() < parts[other].keys() for other in parts)}
    if folder not in whole:
        return {folder} if given[folder] == folder else whole
    copies = {one for one in whole if parts[one].keys() == parts[folder].keys()}
    if whole == copies or _collide([parts[one] for one in whole]):
        return {folder}
    if not _may_be_read(_common(whole), whole, given):
        logger.warning(
            "The series %s lies in several of the folders that were given, each is read by itself: %s. Give the folder "
            "that holds them instead.",
            uid,
            ", ".join(sorted(map(str, whole))),
        )
        return {folder}
    return whole


def _collide(parts: Sequence[_Slices]) -> bool:
    """Whether two different slices lie at one place, as the phases of a scan do."""
    slices = {uid: place for part in parts for uid, place in part.items() if place is not None}
    return len(set(slices.values())) < len(slices)


def _common(folders: Collection[Path]) -> Path:
    return next(iter(folders)) if len(folders) == 1 else Path(os.path.commonpath([one.absolute() for one in folders]))


def _may_be_read(common: Path, folders: Collection[Path], given: Mapping[Path, Path]) -> bool:
    """Whether the user gave the folder that holds others, or those beside one another in it."""
    return all(common.is_relative_to(given[one].absolute()) or common == one.absolute().parent for one in folders)


def _study(folder: Path) -> str:
    """That of the first CT slice in a folder."""
    from transforms.dicom_values import uid

    return next((uid(header, _STUDY) for _, header in _headers(folder, _WHAT_IT_IS)), "")


def _series_of(folder: Path, series_uid: str | None) -> dict[str, _Slices]:
    from transforms.dicom_values import numbers, uid

    found: dict[str, _Slices] = defaultdict(dict)
    for file, header in _headers(folder, _WHICH_AND_WHERE):
        position, orientation = numbers(header, _POSITION, 3), numbers(header, _ORIENTATION, 6)
        place = None if position is None or orientation is None else position + orientation
        found[uid(header, _SERIES)][uid(header, _INSTANCE) or str(file)] = place
    return {uid: slices for uid, slices in found.items() if series_uid in (None, uid)}


def _headers(folder: Path, tags: list[str]) -> Iterator[tuple[Path, Dataset]]:
    """Of the CT slices in a folder; one that is corrupt is an error of the case in which it is read."""
    # Imported late: a search that meets no DICOM file does without pydicom.
    from transforms.dicom_headers import DicomFile, read_header, why_not_a_slice

    for file in sorted(folder.iterdir()):
        if is_hidden(file) or not file.is_file() or not is_dicom(file):
            continue
        try:
            header = read_header(DicomFile(file, str(file)), tags)
        except UnreadableError:
            continue
        if why_not_a_slice(header) is None:
            yield file, header

"""Studies to cases of a slice classifier: pictures beside volumes."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from pipeline.datasets.studies import Case, find_cases
from pipeline.datasets.study_folders import RESULT_MARK, FolderSearch, is_mask_name
from transforms.errors import UnreadableError
from transforms.file_kinds import is_hidden, is_image, stem

Study = str | PathLike[str]


def find_slice_cases(
    study: Study | Sequence[Study], *, pattern: str | None = None, series_uid: str | None = None
) -> list[Case]:
    """The cases of one or several studies, pictures (PNG, JPEG) among them, each a case of one slice.

    Args:
        study: As for :func:`pipeline.datasets.find_cases`; in a folder that is searched pictures are found too, those
            that are masks by their name left out.
        pattern: A glob relative to each folder: what it matches is taken, and nothing else.
        series_uid: The DICOM series to read.

    Raises:
        CTError: As :func:`pipeline.datasets.find_cases`.
    """
    studies = [study] if isinstance(study, str | PathLike) else list(study)
    if pattern is not None:
        return find_cases(studies, pattern=pattern, series_uid=series_uid)
    wanted: list[Study] = []
    for one in studies:
        pictures = _pictures(Path(one), Path(one)) if Path(one).is_dir() else []
        wanted += pictures
        # A folder of pictures alone is no study that lacks its CT.
        if not pictures or FolderSearch(series_uid).studies_in(Path(one)):
            wanted.append(one)
    return find_cases(wanted, series_uid=series_uid)


def _pictures(folder: Path, root: Path) -> list[Path]:
    if (folder / RESULT_MARK).is_file():
        return []
    try:
        entries = sorted(entry for entry in folder.iterdir() if not is_hidden(entry))
    except OSError as error:
        raise UnreadableError("the folder cannot be read", where=folder, remedy="Check the permissions") from error
    inner = "" if folder == root else folder.name
    found = [
        entry
        for entry in entries
        if is_image(entry) and entry.is_file() and not (is_mask_name(stem(entry)) or is_mask_name(inner))
    ]
    return found + [
        picture for entry in entries if entry.is_dir() and not entry.is_symlink() for picture in _pictures(entry, root)
    ]

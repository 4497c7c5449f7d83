"""A DICOM series, from files to a volume."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from transforms.dicom_headers import DicomFile, scan
from transforms.file_kinds import is_dicom, is_hidden
from transforms.reading.dicom_geometry import shared_frame, stack_affine
from transforms.reading.dicom_pixels import decode, with_rescale
from transforms.reading.duplicates import sorted_without_copies
from transforms.reading.series import choose_series
from transforms.reading.volume import Volume


def read_dicom(
    files: Sequence[DicomFile], where: str, *, series_uid: str | None, allow: frozenset[str], smallest: bool
) -> Volume:
    """Reads the CT series among some files.

    Objects that are no CT slices are passed over; of several series one is chosen (:func:`choose_series`); slices are
    sorted along their normal, never by InstanceNumber; exact copies are dropped; each slice is rescaled by its own
    slope and intercept.

    Args:
        files: All files of the folder or archive.
        where: What the user gave, for messages.
        series_uid: The series to read; else the rule decides.
        allow: What is let through; see :data:`ALLOWANCES`.
        smallest: Take `int16` where all HU are integers that fit, else `float32`.

    Raises:
        SeriesError: When there is no CT, or not the series asked for.
        GeometryError: When the slices are no even, straight stack.
        UnreadableError: When a file is corrupt.
        MissingExtraError: When the pixels need a decoder that is not installed.
        IntensityError: When the header does not say how to get HU.
    """
    chosen, said = choose_series(scan(files), where, series_uid)
    frame = shared_frame(chosen, where)
    rescale_said = with_rescale(chosen, allow)
    slices, copies_said = sorted_without_copies(chosen, frame, where)
    affine, assumed = stack_affine(slices, frame, where)
    first = slices[0]
    return Volume(
        array=decode(slices, smallest=smallest),
        affine=affine,
        format="dicom",
        path=where,
        repairs=(*said, *rescale_said, *copies_said, *assumed),
        series_uid=first.series_uid or None,
        study_uid=first.study_uid or None,
        frame_of_reference_uid=first.frame_of_reference_uid or None,
        source_files=tuple(one.file.name for one in slices),
    )


def files_of_folder(folder: Path) -> list[DicomFile]:
    """The files of a folder; where none of them is DICOM, those of all folders below it."""
    direct = [path for path in sorted(folder.iterdir()) if path.is_file() and not is_hidden(path)]
    if not any(is_dicom(path) for path in direct):
        direct = [
            path
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not any(is_hidden(part) for part in path.relative_to(folder).parts)
        ]
    return [DicomFile(path, str(path)) for path in direct]

"""What DICOM headers say about CT slices; everything about the patient as a person is left unread."""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
)

from transforms.errors import UnreadableError
from transforms.file_kinds import DICOM_SUFFIXES, is_dicom

CT_CLASSES = frozenset({CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage})
"""SOP classes that hold CT slices."""

BROKEN_DICOM = (
    pydicom.errors.InvalidDicomError, pydicom.errors.BytesLengthException, OSError, EOFError, ValueError, LookupError,
    AttributeError, TypeError, NotImplementedError, ArithmeticError, RuntimeError, struct.error, zlib.error,
)  # fmt: skip
"""What pydicom raises on files that are not as the standard has them; it has no error of its own for most."""

HEADER_TAGS = [
    "SOPClassUID", "SOPInstanceUID", "Modality", "ImageType", "SeriesInstanceUID", "StudyInstanceUID",
    "FrameOfReferenceUID", "Rows", "Columns", "SamplesPerPixel", "NumberOfFrames", "ImagePositionPatient",
    "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "RescaleSlope", "RescaleIntercept",
    "ConvolutionKernel",
]  # fmt: skip
"""All that is read of a header."""

_FRAME_TAGS = ["SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"]
_CODE = re.compile(r"[A-Z]{2,10}$")


class DicomFile(NamedTuple):
    """A file to look at: where it lies now, and the name under which the user knows it."""

    path: Path
    name: str


@dataclass(frozen=True, kw_only=True)
class Slice:
    """What the reader needs of one CT slice: a file of its own, or a frame of an enhanced object."""

    file: DicomFile
    frame: int | None
    sop_uid: str
    series_uid: str
    study_uid: str
    frame_of_reference_uid: str
    rows: int
    columns: int
    position: tuple[float, ...] | None
    """`(3,)` LPS millimetres: centre of the first pixel."""
    orientation: tuple[float, ...] | None
    """`(6,)` LPS: direction of a row, then of a column."""
    pixel_spacing: tuple[float, ...] | None
    """`(2,)` millimetres: between rows, then between columns."""
    thickness_mm: float | None
    slope: float | None
    intercept: float | None
    kernel: str


class Scan(NamedTuple):
    """The CT slices among some files, and how many of what else there was."""

    slices: list[Slice]
    passed_over: Counter[str]


def scan(files: Iterable[DicomFile]) -> Scan:
    """Reads the headers of all files, without their pixels.

    Raises:
        UnreadableError: When a file that should be DICOM is empty or corrupt: a slice may be missing.
    """
    slices: list[Slice] = []
    passed_over: Counter[str] = Counter()
    for file in files:
        if not is_dicom(file.path):
            _check_foreign(file)
            passed_over["not DICOM"] += 1
            continue
        header = read_header(file, HEADER_TAGS)
        try:
            reason = why_not_a_slice(header)
            slices += [] if reason else _slices(header, file)
        except BROKEN_DICOM as error:
            raise _corrupt(file) from error
        passed_over.update([reason] if reason else [])
    return Scan(slices, passed_over)


def read_header(file: DicomFile, tags: list[str]) -> Dataset:
    """The named elements of a file; nothing else of it is kept.

    Raises:
        UnreadableError: When the file cannot be parsed.
    """
    try:
        return pydicom.dcmread(file.path, stop_before_pixels=True, force=True, specific_tags=list(tags))
    except BROKEN_DICOM as error:
        raise _corrupt(file) from error


def why_not_a_slice(header: Dataset) -> str | None:
    """Why an object is no CT slice, in a few words that hold nothing of the patient; `None` when it is one.

    An object without modality and class may be a slice that was cut short: it is not passed over here.
    """
    modality, sop_class = str(header.get("Modality") or ""), _sop_class(header)
    if modality not in ("", "CT"):
        return f"modality {modality}" if _CODE.match(modality) else "of an unknown modality"
    if sop_class and sop_class not in CT_CLASSES:
        return "no CT slices (screenshot, dose report)"
    if int(header.get("SamplesPerPixel") or 1) != 1:
        return "in colour"
    return "localizers" if "LOCALIZER" in (header.get("ImageType") or []) else None


def _sop_class(header: Dataset) -> str:
    """The object's class, by the file's meta header where the object itself does not say: it may have been cut off."""
    meta = getattr(header, "file_meta", {})
    return str(header.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID") or "")


def _slices(header: Dataset, file: DicomFile) -> list[Slice]:
    frames = int(header.get("NumberOfFrames") or 1)
    if frames == 1 and header.get("SOPClassUID") in (None, "", CTImageStorage):
        return [_slice(header, [header], file, None)]
    groups = read_header(file, _FRAME_TAGS)
    shared = list(groups.get("SharedFunctionalGroupsSequence") or [])[:1]
    own = list(groups.get("PerFrameFunctionalGroupsSequence") or [])
    return [_slice(header, own[index : index + 1] + shared, file, index) for index in range(frames)]


def _slice(header: Dataset, groups: list[Dataset], file: DicomFile, frame: int | None) -> Slice:
    def numbers(count: int, keyword: str, sequence: str) -> tuple[float, ...] | None:
        places = groups if frame is None else [item for group in groups for item in group.get(sequence) or []]
        return next((found for place in places if (found := _numbers(place.get(keyword), count)) is not None), None)

    def number(keyword: str, sequence: str) -> float | None:
        found = numbers(1, keyword, sequence)
        return None if found is None else found[0]

    kernel = header.get("ConvolutionKernel") or ""
    return Slice(
        file=file,
        frame=frame,
        sop_uid=str(header.get("SOPInstanceUID") or ""),
        series_uid=str(header.get("SeriesInstanceUID") or ""),
        study_uid=str(header.get("StudyInstanceUID") or ""),
        frame_of_reference_uid=str(header.get("FrameOfReferenceUID") or ""),
        rows=int(header.Rows),
        columns=int(header.Columns),
        position=numbers(3, "ImagePositionPatient", "PlanePositionSequence"),
        orientation=numbers(6, "ImageOrientationPatient", "PlaneOrientationSequence"),
        pixel_spacing=numbers(2, "PixelSpacing", "PixelMeasuresSequence"),
        thickness_mm=number("SliceThickness", "PixelMeasuresSequence"),
        slope=number("RescaleSlope", "PixelValueTransformationSequence"),
        intercept=number("RescaleIntercept", "PixelValueTransformationSequence"),
        kernel=str(kernel if isinstance(kernel, str) else kernel[0]),
    )


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    """`count` finite numbers, or `None`: a malformed value is as good as none."""
    if value is None or value == "":
        return None
    try:
        numbers = tuple(float(item) for item in ([value] if isinstance(value, str | float | int) else value))
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None


def _check_foreign(file: DicomFile) -> None:
    suffix = Path(file.name).suffix.lower()
    empty = file.path.stat().st_size == 0
    bare = suffix == "" or suffix[1:].isdigit()  # names that scanners give: IM0001, CT.1.2.840.113
    if suffix in DICOM_SUFFIXES or (empty and bare):
        raise UnreadableError(
            "the file is empty" if empty else "the file is not DICOM, though its name says so",
            where=file.name,
            found=f"{file.path.stat().st_size} bytes",
            expected="a DICOM object",
            remedy="Transfer the series again, or remove the file if it is not part of it",
        )


def _corrupt(file: DicomFile) -> UnreadableError:
    return UnreadableError(
        "the DICOM header is corrupt or cut short",
        where=file.name,
        remedy="Transfer the series again, or remove the file if it is not part of it",
    )

"""What DICOM headers say about CT slices; everything about the patient as a person is left unread."""

from __future__ import annotations

import re
import struct
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pydicom
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    MediaStorageDirectoryStorage,
)

from transforms.bounded_file import BoundedFile
from transforms.deflated_dicom import inflates_too_far
from transforms.dicom_values import code, numbers, text, texts, uid
from transforms.errors import UnreadableError
from transforms.file_kinds import DICOM_SUFFIXES, is_dicom
from transforms.pixel_headers import PIXEL_HEADER_TAGS, PixelHeader, read_pixel_header

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
    "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "SpacingBetweenSlices", "RescaleSlope",
    "RescaleIntercept", "ConvolutionKernel", "KVP", "AcquisitionNumber", "TemporalPositionIdentifier",
    "GantryDetectorTilt", "RescaleType", *PIXEL_HEADER_TAGS,
]  # fmt: skip
"""All that is read of a header."""

pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
# What it warns of and logs quotes the value, which in a corrupt header may be the patient's name. It is for the whole
# process, for all that reads later, in whatever thread.

LOCALIZERS = frozenset({"LOCALIZER", "SCOUT", "TOPOGRAM", "SURVIEW"})
"""Values of ImageType that stand for views to plan a scan on."""

SCREENSHOTS = frozenset({"SCREEN SAVE", "DOSE_INFO"})
"""Values of ImageType that stand for pictures of text, which some scanners store as CT."""

_HEADER_TAGS = [Tag(keyword) for keyword in HEADER_TAGS]  # looked up once, not for each file
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
    """Index of the frame in a multi-frame object, from 0."""
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
    """SliceThickness; without a positive one, the size of SpacingBetweenSlices."""
    slope: float | None
    intercept: float | None
    kernel: str
    pixels: PixelHeader
    tilt_degrees: float | None = None
    """GantryDetectorTilt: what the scanner says; the positions of the slices decide."""
    kilovolts: float | None = None
    image_type: str = ""
    """`ORIGINAL/PRIMARY/AXIAL`, like all that follow safe in messages."""
    stack_id: str = ""
    temporal_position: str = ""
    acquisition: str = ""
    rescale_type: str = ""


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
        header, pixels = _read_headers(file)
        try:
            reason = why_not_a_slice(header)
            found = [] if reason else _slices(header, pixels, file)
        except BROKEN_DICOM as error:
            raise _corrupt(file) from error
        wanted = [one for one in found if LOCALIZERS.isdisjoint(one.image_type.split("/"))]
        slices += wanted
        passed_over.update([reason] if reason else ["localizers"] * (len(found) - len(wanted)))
    return Scan(slices, passed_over)


def read_header(file: DicomFile, tags: list[str]) -> Dataset:
    """The named elements of a file; nothing else of it is kept.

    Raises:
        UnreadableError: When the file cannot be parsed.
    """
    try:
        _check_inflated(file)
        with BoundedFile(file.path) as opened:
            return pydicom.dcmread(opened, stop_before_pixels=True, force=True, specific_tags=list(tags))
    except BROKEN_DICOM as error:
        raise _corrupt(file) from error


def _read_headers(file: DicomFile) -> tuple[Dataset, PixelHeader]:
    try:
        _check_inflated(file)
        with BoundedFile(file.path) as opened:
            header = pydicom.dcmread(opened, stop_before_pixels=True, force=True, specific_tags=list(_HEADER_TAGS))
            return header, read_pixel_header(header, opened)
    except BROKEN_DICOM as error:
        raise _corrupt(file) from error


def why_not_a_slice(header: Dataset) -> str | None:
    """Why an object is no CT slice, in a few words that hold nothing of the patient; `None` when it is one.

    An object without modality and class may be a slice that was cut short: it is not passed over here.
    """
    modality, sop_class = text(header, "Modality"), _sop_class(header)
    if sop_class == MediaStorageDirectoryStorage:
        return "DICOMDIR"
    if modality not in ("", "CT"):
        return f"modality {modality}" if _CODE.match(modality) else "of an unknown modality"
    image_type = set(texts(header, "ImageType"))
    if (sop_class and sop_class not in CT_CLASSES) or not image_type.isdisjoint(SCREENSHOTS):
        return "no CT slices (screenshot, dose report)"
    if int(header.get("SamplesPerPixel") or 1) != 1:
        return "in colour"
    return None if image_type.isdisjoint(LOCALIZERS) else "localizers"


def _sop_class(header: Dataset) -> str:
    """The object's class, by the file's meta header where the object itself does not say: it may have been cut off."""
    return text(header, "SOPClassUID") or text(getattr(header, "file_meta", Dataset()), "MediaStorageSOPClassUID")


def _slices(header: Dataset, pixels: PixelHeader, file: DicomFile) -> list[Slice]:
    frames = int(text(header, "NumberOfFrames") or 1)
    if frames == 1 and text(header, "SOPClassUID") in ("", CTImageStorage):
        return [_slice(header, None, pixels, file, None)]
    groups = read_header(file, _FRAME_TAGS)
    shared = list(groups.get("SharedFunctionalGroupsSequence") or [])[:1]
    own = list(groups.get("PerFrameFunctionalGroupsSequence") or [])
    if len(own) != frames and (own or frames != 1):
        raise UnreadableError(
            "the header does not describe each frame",
            where=file.name,
            found=f"{frames} frames, {len(own)} of them described",
            expected="one item of PerFrameFunctionalGroupsSequence for each",
            remedy="Export the series again from the scanner or archive",
        )
    return [_slice(header, own[index : index + 1] + shared, pixels, file, index) for index in range(frames)]


def _slice(
    header: Dataset, groups: list[Dataset] | None, pixels: PixelHeader, file: DicomFile, frame: int | None
) -> Slice:
    """One slice, from its header alone, or from its frame's functional groups and those that all frames share."""

    def places(sequence: str) -> list[Dataset]:
        return [header] if groups is None else [item for group in groups for item in group.get(sequence) or []]

    def some(keyword: str, sequence: str, count: int) -> tuple[float, ...] | None:
        found = (numbers(place, keyword, count) for place in places(sequence))
        return next((values for values in found if values is not None), None)

    def number(keyword: str, sequence: str) -> float | None:
        found = some(keyword, sequence, 1)
        return None if found is None else found[0]

    def word(keyword: str, sequence: str, name_in_header: str | None = None) -> str:
        found = [] if groups is None else [texts(place, keyword) for place in places(sequence)]
        return code(next(filter(None, [*found, texts(header, name_in_header or keyword)]), []))

    apart = number("SpacingBetweenSlices", "PixelMeasuresSequence")
    thickness = number("SliceThickness", "PixelMeasuresSequence")
    return Slice(
        file=file,
        frame=frame,
        sop_uid=uid(header, "SOPInstanceUID"),
        series_uid=uid(header, "SeriesInstanceUID"),
        study_uid=uid(header, "StudyInstanceUID"),
        frame_of_reference_uid=uid(header, "FrameOfReferenceUID"),
        rows=int(header.Rows),
        columns=int(header.Columns),
        position=some("ImagePositionPatient", "PlanePositionSequence", 3),
        orientation=some("ImageOrientationPatient", "PlaneOrientationSequence", 6),
        pixel_spacing=some("PixelSpacing", "PixelMeasuresSequence", 2),
        thickness_mm=thickness if thickness and thickness > 0 else apart and abs(apart),
        slope=number("RescaleSlope", "PixelValueTransformationSequence"),
        intercept=number("RescaleIntercept", "PixelValueTransformationSequence"),
        kernel=word("ConvolutionKernel", "CTReconstructionSequence"),
        pixels=pixels,
        tilt_degrees=number("GantryDetectorTilt", "CTAcquisitionDetailsSequence"),
        image_type=word("FrameType", "CTImageFrameTypeSequence", "ImageType"),
        stack_id=word("StackID", "FrameContentSequence"),
        temporal_position=word("TemporalPositionIndex", "FrameContentSequence", "TemporalPositionIdentifier"),
        acquisition=word("FrameAcquisitionNumber", "FrameContentSequence", "AcquisitionNumber"),
        kilovolts=number("KVP", "CTXRayDetailsSequence"),
        rescale_type=word("RescaleType", "PixelValueTransformationSequence"),
    )


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


def _check_inflated(file: DicomFile) -> None:
    if inflates_too_far(file.path):
        raise UnreadableError(
            "the file inflates to far more than a CT holds",
            where=file.name,
            found=f"a deflated file of {file.path.stat().st_size} bytes",
            remedy="Export the series again without deflating it, or remove the file if it is not part of it",
        )


def _corrupt(file: DicomFile) -> UnreadableError:
    return UnreadableError(
        "the DICOM header is corrupt or cut short",
        where=file.name,
        remedy="Transfer the series again, or remove the file if it is not part of it",
    )

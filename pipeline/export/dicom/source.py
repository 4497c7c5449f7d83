"""The DICOM objects that a volume was read from, slice by slice, checked against the volume's grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset

from pipeline.export.dicom.patient import COPIED_TAGS
from transforms import open_source
from transforms.dicom_headers import BROKEN_DICOM
from transforms.errors import GeometryError, UnreadableError

#: How far a source's slice may lie from the volume's: what the reader lets through, 0.05 mm along the normal and 0.1 mm
#: sideways, and rounding. A volume that was resampled or sheared lies farther off.
PLACE_TOLERANCE_MM = 0.15
#: Largest difference between an edge of a voxel and that of the source, over the whole slice.
EDGE_TOLERANCE_MM = 0.15

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_SLICE_TAGS = [
    "SOPClassUID", "SOPInstanceUID", "Rows", "Columns", "NumberOfFrames", "ImagePositionPatient",
    "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]  # fmt: skip
_NEEDED_TAGS = ["StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID", "SOPClassUID"]
#: What a result's image says of its source beside that.
IMAGE_TAGS = (
    "PositionReferenceIndicator", "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod",
)  # fmt: skip
_Affine = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SourceSlice:
    """One slice of the source.

    Attributes:
        sop_class_uid: Class of the object that holds it.
        sop_uid: The object.
        frame: Number of its frame, from 1; None in an object of one slice.
        position: Centre of the first pixel, LPS millimetres.
    """

    sop_class_uid: str
    sop_uid: str
    frame: int | None
    position: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A series that a volume maps to slice by slice.

    Attributes:
        slices: In volume order: the index is the voxel index along the last axis.
        header: What the first object says of the patient, the study and the series.
        orientation: Direction of a row, then of a column, LPS.
        pixel_spacing_mm: Between rows, then between columns.
        spacing_mm: Between slices.
        thickness_mm: Thickness of a slice.
        rows: Pixels in a column.
        columns: Pixels in a row.
    """

    slices: tuple[SourceSlice, ...]
    header: Dataset
    orientation: tuple[float, ...]
    pixel_spacing_mm: tuple[float, float]
    spacing_mm: float
    thickness_mm: float
    rows: int
    columns: int


def read_source(meta: Mapping[str, Any], affine: npt.ArrayLike, shape: Sequence[int]) -> Source:
    """Read the headers of a volume's source again, and check that each slice of the volume is one of the source's.

    Args:
        meta: The volume's meta, with ``source_files`` and, for multi-frame objects, ``source_frames`` in volume order.
        affine: ``(4, 4)`` voxel to RAS+ millimetres.
        shape: ``(X, Y, Z)`` of the volume.

    Returns:
        The source, slice by slice.

    Raises:
        GeometryError: When the volume's slices are not those of the source: it was resampled or sheared on reading.
        UnreadableError: When a file is there no more, or does not say what it is.
    """
    files = [str(file) for file in meta.get("source_files") or ()]
    if len(files) != shape[2]:
        raise _not_the_slices(f"{len(files)} files for {shape[2]} slices")
    grid = _LPS_TO_RAS @ np.asarray(affine, dtype=np.float64)
    frames = _frames_in_order(files, meta.get("source_frames") or [0] * len(files))
    for index, frame in enumerate(frames):
        _check_place(frame, grid, index, shape)
    header = _read_header(files[0], [*_NEEDED_TAGS, "SeriesNumber", *IMAGE_TAGS, *COPIED_TAGS])
    for keyword in _NEEDED_TAGS:
        if not header.get(keyword):
            raise UnreadableError(f"the source has no {keyword}")
    first = frames[0]
    spacing_mm = float(np.linalg.norm(grid[:3, 2]))
    return Source(
        slices=tuple(frame.slice for frame in frames),
        header=header,
        orientation=first.orientation,
        pixel_spacing_mm=(first.pixel_spacing[0], first.pixel_spacing[1]),
        spacing_mm=spacing_mm,
        thickness_mm=first.thickness or spacing_mm,
        rows=first.rows,
        columns=first.columns,
    )


@dataclass(frozen=True, kw_only=True)
class _Frame:
    slice: SourceSlice
    orientation: tuple[float, ...]
    pixel_spacing: tuple[float, ...]
    thickness: float | None
    rows: int
    columns: int


def _frames_in_order(files: list[str], numbers: Sequence[int]) -> list[_Frame]:
    """Find each slice's frame by its file and, from 1, its number in it; 0 is the only one of a file of one slice."""
    frames = {file: list(_frames(_read_header(file, _SLICE_TAGS))) for file in dict.fromkeys(files)}
    found = []
    for file, number in zip(files, numbers, strict=True):
        of_file = frames[file]
        if max(1, number) > len(of_file) or (number == 0 and len(of_file) > 1):
            raise _not_the_slices(f"frame {number} of a file of {len(of_file)}")
        found.append(of_file[max(1, number) - 1])
    return found


def _check_place(frame: _Frame, grid: _Affine, index: int, shape: Sequence[int]) -> None:
    rows, columns = frame.pixel_spacing
    row, column = np.reshape(frame.orientation, (2, 3))
    edges = np.stack([row * columns, column * rows], axis=1)
    off = np.abs(edges - grid[:3, :2]).max() * max(shape[0], shape[1])
    if (frame.columns, frame.rows) != tuple(shape[:2]):
        raise _not_the_slices(f"slices of {frame.columns} x {frame.rows} voxels for {shape[0]} x {shape[1]}")
    distance = _distance(frame, grid[:3] @ (0, 0, index, 1))
    if distance > PLACE_TOLERANCE_MM or off > EDGE_TOLERANCE_MM:
        raise _not_the_slices(f"slice {index} {max(distance, float(off)):.2f} mm away from its source")


def _distance(frame: _Frame, place: _Affine) -> float:
    return float(np.linalg.norm(np.subtract(frame.slice.position, place)))


def _frames(header: Dataset) -> Iterator[_Frame]:
    shared = list(header.get("SharedFunctionalGroupsSequence") or [])[:1]
    own = list(header.get("PerFrameFunctionalGroupsSequence") or [])
    try:
        for index in range(max(1, len(own))):
            groups = [header] if not own else [own[index], *shared]
            yield _Frame(
                slice=SourceSlice(
                    sop_class_uid=str(header.SOPClassUID),
                    sop_uid=str(header.SOPInstanceUID),
                    frame=index + 1 if own else None,
                    position=_numbers(groups, "ImagePositionPatient", "PlanePositionSequence"),
                ),
                orientation=_numbers(groups, "ImageOrientationPatient", "PlaneOrientationSequence"),
                pixel_spacing=_numbers(groups, "PixelSpacing", "PixelMeasuresSequence"),
                thickness=_thickness(groups),
                rows=int(header.Rows),
                columns=int(header.Columns),
            )
    except BROKEN_DICOM as error:
        raise UnreadableError("a slice of the source does not say what and where it is") from error


def _numbers(groups: list[Dataset], keyword: str, sequence: str) -> tuple[float, ...]:
    places = [*groups, *(item for group in groups for item in group.get(sequence) or [])]
    return tuple(float(number) for number in next(place[keyword].value for place in places if place.get(keyword)))


def _thickness(groups: list[Dataset]) -> float | None:
    places = [*groups, *(item for group in groups for item in group.get("PixelMeasuresSequence") or [])]
    return next((float(place.SliceThickness) for place in places if place.get("SliceThickness")), None)


def _read_header(file: str, tags: list[str]) -> Dataset:
    with open_source(file) as content:
        try:
            return pydicom.dcmread(content, stop_before_pixels=True, force=True, specific_tags=list(tags))
        except BROKEN_DICOM as error:
            raise UnreadableError("the source file cannot be read again", where=file) from error


def _not_the_slices(found: str) -> GeometryError:
    return GeometryError("the volume's slices are not those of the source", found=found)

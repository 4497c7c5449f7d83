"""The frames of a SEG: which slices each segment is in, their pixels and what is said of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from highdicom import PlanePositionSequence
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from pipeline.export.dicom.plan import SegPlan
from pipeline.export.dicom.source import Source, SourceSlice

Array = npt.NDArray[Any]

SLICES_AT_ONCE = 32


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One frame.

    Attributes:
        segment: Number of its segment; None in a label map, whose frames hold all.
        index: The slice in the volume.
        pixels: Row after row: a bit a pixel (lowest first, filled up to whole bytes), or in a label map a byte.
    """

    segment: int | None
    index: int
    pixels: bytes


def planes_of(volume: Array) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    """Hand out a volume's slices as DICOM has them, some at a time.

    Args:
        volume: `uint8 (X, Y, Z)`.

    Yields:
        Index of the first slice, and `(slices, rows, columns)`, contiguous.
    """
    # Several slices a copy: one alone would read a C-ordered volume voxel by voxel.
    for start in range(0, volume.shape[2], SLICES_AT_ONCE):
        yield start, np.ascontiguousarray(volume[:, :, start : start + SLICES_AT_ONCE].transpose(2, 1, 0))


def collect_frames(plan: SegPlan, masks: Mapping[str, Array]) -> list[Frame]:
    """Cut segments into frames; slices without the segment are left out.

    A segment without any voxel has one empty frame, in the middle of the volume: an image has a frame at least, and
    software that reads segment by segment finds each.

    Args:
        plan: The segments.
        masks: `label_map` and, where there are lung segments, `lungs`: `uint8 (X, Y, Z)`.

    Returns:
        Segment by segment, slices in volume order.
    """
    if plan.options.type == "labelmap":
        frames = [Frame(segment=None, index=index, pixels=plane.tobytes()) for index, plane in _filled(masks)]
        return frames or [_empty_frame(None, masks["label_map"].shape, bits=8)]
    by_segment: dict[int, list[Frame]] = {segment.number: [] for segment in plan.segments}
    for name, mask in masks.items():
        segments = [segment for segment in plan.segments if segment.mask == name]
        for start, planes in planes_of(mask):
            for segment in segments:
                found = planes == segment.value
                for at in np.flatnonzero(found.any(axis=(1, 2))):
                    bits = np.packbits(found[at].ravel(), bitorder="little").tobytes()
                    frame = Frame(segment=segment.number, index=start + int(at), pixels=bits)
                    by_segment[segment.number].append(frame)
    shape = masks["label_map"].shape
    return [frame for number, frames in by_segment.items() for frame in frames or [_empty_frame(number, shape, bits=1)]]


def describe_frames(frames: Sequence[Frame], source: Source) -> list[Dataset]:
    """Say of each frame where it lies, which segment it shows and which source slice it was made from.

    Args:
        frames: The frames in their order in the file.
        source: The source's slices.

    Returns:
        Items of the Per-Frame Functional Groups Sequence.
    """
    ranks = {index: rank for rank, index in enumerate(sorted({frame.index for frame in frames}), 1)}
    places = {index: _place(source.slices[index]) for index in ranks}
    return [_describe(frame, ranks[frame.index], places[frame.index]) for frame in frames]


def _filled(masks: Mapping[str, Array]) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    for start, planes in planes_of(masks["label_map"]):
        for at in np.flatnonzero(planes.any(axis=(1, 2))):
            yield start + int(at), planes[at]


def _empty_frame(segment: int | None, shape: Sequence[int], *, bits: int) -> Frame:
    return Frame(segment=segment, index=shape[2] // 2, pixels=bytes(-(-shape[0] * shape[1] * bits // 8)))


@dataclass(frozen=True, kw_only=True)
class _Place:
    """What all frames at one slice share."""

    position: PlanePositionSequence
    derivation: Dataset


def _place(one: SourceSlice) -> _Place:
    image = Dataset()
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = one.sop_class_uid, one.sop_uid
    if one.frame is not None:
        image.ReferencedFrameNumber = one.frame
    image.SpatialLocationsPreserved = "YES"
    image.PurposeOfReferenceCodeSequence = [CodedConcept.from_code(codes.DCM.SourceImageForImageProcessingOperation)]
    derivation = Dataset()
    derivation.DerivationCodeSequence = [CodedConcept.from_code(codes.DCM.Segmentation)]
    derivation.SourceImageSequence = [image]
    return _Place(position=PlanePositionSequence("PATIENT", one.position), derivation=derivation)


def _describe(frame: Frame, rank: int, place: _Place) -> Dataset:
    item, content = Dataset(), Dataset()
    content.DimensionIndexValues = [rank] if frame.segment is None else [frame.segment, rank]
    item.FrameContentSequence = [content]
    item.PlanePositionSequence = place.position
    item.DerivationImageSequence = [place.derivation]
    if frame.segment is not None:
        identification = Dataset()
        identification.ReferencedSegmentNumber = frame.segment
        item.SegmentIdentificationSequence = [identification]
    return item

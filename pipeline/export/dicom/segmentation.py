"""A label map as DICOM SEG, checked before it takes its name."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from highdicom.seg import Segmentation, segread

from pipeline.export.dicom.plan import Segment, SegPlan
from pipeline.export.dicom.seg_frames import SLICES_AT_ONCE, collect_frames, describe_frames, planes_of
from pipeline.export.dicom.seg_header import seg_header
from pipeline.export.dicom.seg_pixels import choose_syntax, encode
from pipeline.export.dicom.source import Source, SourceSlice
from pipeline.export.files import replacing
from pipeline.export.provenance import BundleIdentity
from transforms.errors import OutputError

Array = npt.NDArray[Any]


def write_seg(
    path: str | PathLike[str],
    label_map: Array,
    source: Source,
    plan: SegPlan,
    *,
    bundle: BundleIdentity,
    lungs: Array | None = None,
) -> None:
    """Write a label map, and in a binary SEG the lungs, as DICOM SEG.

    Frames are made slice by slice from the source's files, so that nothing can be turned or mirrored. What was
    written is read back with highdicom and compared, voxel by voxel, before the file gets its name.

    Args:
        path: The file to write.
        label_map: `uint8 (X, Y, Z)`.
        source: The slices that it maps to.
        plan: The segments and identifiers.
        bundle: What segmented it.
        lungs: `uint8 (X, Y, Z)`, 1 left and 2 right; None where no lungs were found.

    Raises:
        MissingExtraError: When JPEG 2000 is asked for and there is no encoder.
        OutputError: When the file cannot be written, or says something else when it is read back.
        ValueError: When a mask does not fit the source.
    """
    masks = {"label_map": label_map} if lungs is None else {"label_map": label_map, "lungs": lungs}
    expected = (source.columns, source.rows, len(source.slices))
    if any(mask.shape != expected for mask in masks.values()):
        raise ValueError(f"masks must have the source's shape {expected}")
    frames = collect_frames(plan, masks)
    seg = seg_header(source, plan, bundle)
    seg.PerFrameFunctionalGroupsSequence = describe_frames(frames, source)
    seg.NumberOfFrames = len(frames)
    syntax = choose_syntax(plan.options.encoding, frames, source.rows, source.columns)
    seg.file_meta.TransferSyntaxUID = syntax
    seg.add_new("PixelData", "OB", encode(frames, syntax, source.rows, source.columns))
    with replacing(path) as temporary:
        seg.save_as(temporary)
        _check(segread(temporary), plan, masks, source, Path(path))


def _check(seg: Segmentation, plan: SegPlan, masks: dict[str, Array], source: Source, path: Path) -> None:
    for name, mask in masks.items():
        segments = [segment for segment in plan.segments if segment.mask == name]
        for start, planes in planes_of(mask):
            stop = min(start + SLICES_AT_ONCE, len(source.slices))
            if segments and not np.array_equal(_read(seg, source, start, stop, segments), _kept(planes, segments)):
                raise OutputError(
                    "the DICOM SEG does not read back as it was written",
                    where=path,
                    remedy="Leave `seg` out of --write, and report this",
                )


def _read(seg: Segmentation, source: Source, start: int, stop: int, segments: Sequence[Segment]) -> Array:
    """The values of some slices, `(slices, rows, columns)`, put together from their segments."""
    numbers = [segment.number for segment in segments]
    values = np.zeros(max(numbers) + 1, dtype=np.uint8)
    values[numbers] = [segment.value for segment in segments]
    pixels = [
        _segment_numbers(seg, uid, list(slices), numbers)
        for uid, slices in groupby(source.slices[start:stop], key=_object_of)
    ]
    read: Array = values[np.concatenate(pixels)]
    return read


def _object_of(one: SourceSlice) -> str | None:
    """The multi-frame object that holds a slice; None for objects of one slice, which are asked for together."""
    return None if one.frame is None else one.sop_uid


def _segment_numbers(seg: Segmentation, uid: str | None, slices: list[SourceSlice], numbers: list[int]) -> Array:
    options: dict[str, Any] = {
        "segment_numbers": numbers,
        "combine_segments": True,
        "assert_missing_frames_are_empty": True,
    }
    if uid is None:
        pixels = seg.get_pixels_by_source_instance([one.sop_uid for one in slices], **options)
    else:
        pixels = seg.get_pixels_by_source_frame(uid, [one.frame or 1 for one in slices], **options)
    return np.asarray(pixels)


def _kept(planes: npt.NDArray[np.uint8], segments: Sequence[Segment]) -> Array:
    """Values that are no class (a map of a foreign bundle may hold some) are no segment."""
    keep = np.zeros(256, dtype=np.uint8)
    for segment in segments:
        keep[segment.value] = segment.value
    return keep[planes]

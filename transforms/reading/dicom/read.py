"""A DICOM series, from files to a volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transforms.dicom_headers import DicomFile, Scan, Slice, scan
from transforms.reading.dicom.duplicates import sorted_without_copies
from transforms.reading.dicom.geometry import shared_frame
from transforms.reading.dicom.grid import Grid, grid_of
from transforms.reading.dicom.series import choose_series
from transforms.reading.dicom_pixels import Decoded, check_stored, decode, with_rescale
from transforms.reading.padding import replace_padding
from transforms.reading.volume import Affine, Volume


@dataclass(frozen=True, kw_only=True)
class SeriesPlan:
    """A series as it is going to be read: all that is known before its pixels are."""

    slices: list[Slice]
    """In the order of their places, each place once."""
    grid: Grid
    """Where the voxels of the volume lie."""
    repairs: tuple[str, ...]
    """What was passed over, put right or assumed, as short sentences."""

    @property
    def affine(self) -> Affine:
        """`(4, 4)`, from voxel indices to RAS+ millimetres."""
        return self.grid.affine


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
        series_uid: The series to read, or `UID:PART` for one of several stacks in it; else the rule decides.
        allow: What is let through; see :data:`ALLOWANCES`.
        smallest: Take `int16` where all HU are integers that fit, else `float32`.

    Raises:
        SeriesError: When there is no CT, not the series asked for, or no certain choice.
        GeometryError: When the slices are no even, straight stack.
        UnreadableError: When a file is corrupt.
        MissingExtraError: When the pixels need a decoder that is not installed.
        IntensityError: When the header does not say how to get HU.
    """
    plan = plan_series(scan(files), where, series_uid=series_uid, allow=allow)
    array, said = _decoded(plan, smallest=smallest)
    first = plan.slices[0]
    return Volume(
        array=array,
        affine=plan.affine,
        format="dicom",
        path=where,
        repairs=(*plan.repairs, *said),
        series_uid=first.series_uid or None,
        study_uid=first.study_uid or None,
        frame_of_reference_uid=first.frame_of_reference_uid or None,
        source_files=tuple(one.file.name for one in plan.slices),
        source_frames=tuple(0 if one.frame is None else one.frame + 1 for one in plan.slices),
        resampled=plan.grid.resampled,
    )


def plan_series(found: Scan, where: str, *, series_uid: str | None, allow: frozenset[str]) -> SeriesPlan:
    """All of :func:`read_dicom` but the pixels (those of slices at one place are compared): what is refused here, is.

    Raises:
        SeriesError: When there is no CT, not the series asked for, or no certain choice.
        GeometryError: When the slices are no even, straight stack.
        IntensityError: When the header does not say how to get HU.
        UnreadableError: When pixels are cut short, or stored in a way that cannot be.
        MissingExtraError: When the pixels need a decoder that is not installed.
    """
    chosen, said = choose_series(found, where, series_uid)
    frame = shared_frame(chosen, where)
    rescale_said = with_rescale(chosen, allow)
    slices, copies_said = sorted_without_copies(chosen, frame, where)
    grid = grid_of(slices, frame, where, allow)
    check_stored(slices)
    return SeriesPlan(slices=slices, grid=grid, repairs=(*said, *rescale_said, *copies_said, *grid.repairs))


def _decoded(plan: SeriesPlan, *, smallest: bool) -> Decoded:
    measured = decode(plan.slices, smallest=smallest)
    if not plan.grid.resampled:
        return measured
    from transforms.reading.dicom.resample import resampled  # SciPy takes a moment, and hardly any series needs it

    padding = replace_padding(measured.array)  # before it blends with what lies beside it
    return Decoded(resampled(measured.array, plan.grid), (*measured.said, *([padding] if padding else [])))

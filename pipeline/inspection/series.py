"""One CT series as its headers describe it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pydicom import uid
from pydicom.dataset import Dataset

from pipeline.inspection.placement import placement_of
from pipeline.inspection.results import Rescale, SeriesInspection, TransferSyntax
from transforms.dicom_headers import Slice, read_header
from transforms.dicom_values import code, text, texts
from transforms.errors import CTError, MissingExtraError
from transforms.reading.dicom import Candidate
from transforms.reading.dicom_pixels import check_stored

DESCRIPTION_TAGS = [
    "Modality", "Manufacturer", "ManufacturerModelName", "PatientPosition", "ContrastBolusAgent",
    "ContrastBolusAgentSequence",
]  # fmt: skip
"""What is read of a series beside what the reader needs; of the contrast agent only whether there is one."""

_LONGEST_NAME = 64


def inspect_series(candidate: Candidate, *, taken: bool, reason: str) -> SeriesInspection:
    """One series, or one of the stacks in it.

    Raises:
        UnreadableError: When the header of its first file cannot be parsed.
    """
    slices, first = candidate.slices, candidate.slices[0]
    described = read_header(first.file, DESCRIPTION_TAGS)
    place = placement_of(slices)
    return SeriesInspection(
        name=candidate.name,
        taken=taken,
        reason=reason,
        modality=code(texts(described, "Modality")),
        slices=len(slices),
        files=len({one.file for one in slices}),
        rows=first.rows,
        columns=first.columns,
        pixel_spacing_mm=first.pixel_spacing,
        thicknesses_mm=tuple(sorted({one.thickness_mm for one in slices if one.thickness_mm is not None})),
        spacing_mm=place.spacing_mm,
        extent_mm=round(candidate.extent_mm, 3),
        plane=place.plane,
        oblique_degrees=place.oblique_degrees,
        tilt_degrees=place.tilt_degrees,
        gaps=place.gaps,
        duplicates=place.duplicates,
        acquisitions=_values([one.acquisition for one in slices]),
        temporal_positions=_values([one.temporal_position for one in slices]),
        transfer_syntaxes=_transfer_syntaxes(slices),
        rescales=_rescales(slices),
        kernels=_values([one.kernel for one in slices]),
        kilovolts=tuple(sorted({one.kilovolts for one in slices if one.kilovolts is not None})),
        manufacturer=_name(described, "Manufacturer"),
        model=_name(described, "ManufacturerModelName"),
        patient_position=code(texts(described, "PatientPosition")),
        contrast_agent=bool(text(described, "ContrastBolusAgent") or described.get("ContrastBolusAgentSequence")),
    )


def _values(values: Sequence[str]) -> tuple[str, ...]:
    """Different values, numbers in their order before text."""
    named = {value for value in values if value}
    return tuple(
        sorted(named, key=lambda value: (not value.isdecimal(), int(value) if value.isdecimal() else 0, value))
    )


def _transfer_syntaxes(slices: Sequence[Slice]) -> tuple[TransferSyntax, ...]:
    firsts = {one.pixels.transfer_syntax: one for one in reversed(slices)}
    return tuple(
        TransferSyntax(uid=code([syntax]), name=uid.UID(code([syntax])).name, readable=_is_readable(one))
        for syntax, one in sorted(firsts.items())
    )


def _is_readable(one: Slice) -> bool:
    """Whether the decoder is there, whatever else may be wrong with the pixels."""
    try:
        check_stored([one])
    except MissingExtraError:
        return False
    except CTError:
        return True
    return True


def _rescales(slices: Sequence[Slice]) -> tuple[Rescale, ...]:
    counts = Counter((one.slope, one.intercept) for one in slices)
    return tuple(Rescale(slope=pair[0], intercept=pair[1], slices=count) for pair, count in counts.most_common())


def _name(header: Dataset, keyword: str) -> str:
    """A manufacturer's name for people: printable, and not too long."""
    return "".join(character for character in text(header, keyword) if character.isprintable())[:_LONGEST_NAME]

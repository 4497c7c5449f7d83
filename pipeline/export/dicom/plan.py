"""Which segments a SEG has, and the identifiers by which an SR refers to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydicom.uid import UID, SegmentationStorage, generate_uid

from pipeline.export.dicom.codes import LEFT_LUNG, RIGHT_LUNG, SegmentCodes, segment_codes
from pipeline.export.dicom.options import SegOptions
from pipeline.export.drawing import LUNG_OUTLINE, Colour, colour_of
from pipeline.export.measurements import LEFT, RIGHT

#: pydicom's dictionary has no name for it yet.
LABELMAP_STORAGE = UID("1.2.840.10008.5.1.4.1.1.66.7")
#: Names of the lungs' segments.
LUNG_NAMES = {LEFT: "left lung", RIGHT: "right lung"}


def new_uid() -> str:
    """A UID that no one else has."""
    return str(generate_uid(prefix=None))


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One segment.

    Attributes:
        number: From 1; in a label map the value of its voxels.
        name: The class's name.
        mask: What it is taken from.
        value: Its value there.
        codes: How it is coded.
        colour: The colour that the preview shows it in.
        tracking_uid: Names it in SEG and SR.
    """

    number: int
    name: str
    mask: Literal["label_map", "lungs"]
    value: int
    codes: SegmentCodes
    colour: Colour
    tracking_uid: str = field(default_factory=new_uid)


@dataclass(frozen=True, kw_only=True)
class SegPlan:
    """The segments of a SEG and its identifiers; each run of a case makes new ones, for the content may differ.

    Attributes:
        segments: In the order of their numbers.
        options: Settings of the SEG.
        series_uid: The SEG's series.
        sop_uid: The SEG itself.
    """

    segments: tuple[Segment, ...]
    options: SegOptions
    series_uid: str = field(default_factory=new_uid)
    sop_uid: str = field(default_factory=new_uid)

    @property
    def sop_class_uid(self) -> UID:
        """Class of the SEG."""
        return LABELMAP_STORAGE if self.options.type == "labelmap" else SegmentationStorage

    def segment(self, name: str) -> Segment | None:
        """Find the segment of a class or a lung; None where the SEG has none."""
        return next((segment for segment in self.segments if segment.name == name), None)


def plan_seg(classes: Mapping[str, int], *, with_lungs: bool, options: SegOptions | None = None) -> SegPlan:
    """Lay down the segments of a SEG: a class each, then, in a binary one, the lungs.

    Args:
        classes: Class name to label value; the background (0) is no segment.
        with_lungs: Whether there is a lung mask.
        options: Settings of the SEG.

    Returns:
        The plan.
    """
    options = options or SegOptions()
    own = options.class_codes
    binary = options.type == "binary"
    foreground = sorted((value, name) for name, value in classes.items() if value != 0)
    segments = [
        Segment(
            number=number if binary else value,
            name=name,
            mask="label_map",
            value=value,
            codes=segment_codes(name, own),
            colour=colour_of(value),
        )
        for number, (value, name) in enumerate(foreground, 1)
    ]
    if binary and with_lungs:
        segments += [
            Segment(
                number=number, name=LUNG_NAMES[side], mask="lungs", value=side, codes=codes, colour=LUNG_OUTLINE
            )
            for number, (side, codes) in enumerate(((LEFT, LEFT_LUNG), (RIGHT, RIGHT_LUNG)), len(segments) + 1)
        ]  # fmt: skip
    return SegPlan(segments=tuple(segments), options=options)

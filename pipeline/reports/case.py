"""`report.html` of a segmented case."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

from pipeline.export.kinds import CaseContent
from pipeline.reports.axial import encode_axial
from pipeline.reports.involvement import involvement_chart, slice_areas, slice_captions, telling_slices
from pipeline.reports.origin import check_of, origin_facts
from pipeline.reports.page import write_page
from pipeline.reports.tables import LESION_COLUMNS, LUNG_COLUMNS, lesion_rows, lung_rows
from pipeline.reports.viewer import viewer_data
from pipeline.reports.volumes import PictureVolumes
from pipeline.reports.zone_diagram import POINT_COLOURS, draw_zones

REPORT_FILE = "report.html"
_FEET, _HEAD = "feet", "head"


def write_report(path: str | PathLike[str], content: CaseContent, record: Mapping[str, Any]) -> None:
    """Write the report of a case: one file that opens offline.

    Args:
        path: The file.
        content: The volumes and the measurements of the case.
        record: Its provenance, as far as it is known.

    Raises:
        OutputError: When the file cannot be written.
    """
    volumes = PictureVolumes.of(content.hu, content.affine, content.label_map, content.lungs)
    stack = encode_axial(volumes)
    areas = slice_areas(stack, volumes, content.classes)
    place = volumes.place_of_most()
    viewer = viewer_data(
        volumes,
        stack,
        content.classes,
        slice_captions(areas),
        start=volumes.native_order.index(place[2]),
        shown=telling_slices(areas),
        place=place,
        hu_window="lung" if volumes.lungs is not None else "mediastinal",
    )
    measured = content.measurements.as_json()
    found = volumes.lungs is not None
    write_page(
        path,
        "case.html",
        case=content.case,
        check=check_of(record, volumes),
        measured=measured,
        lesions=lesion_rows(measured, content.classes),
        lesion_columns=LESION_COLUMNS,
        lungs=lung_rows(measured) if found else [],
        lung_columns=LUNG_COLUMNS,
        zones=draw_zones(measured["zones"]) if found else [],
        point_colours=POINT_COLOURS,
        charts=[involvement_chart(areas, content.classes, body_ends(volumes))],
        viewer=viewer,
        origin=origin_facts(record),
    )


def body_ends(volumes: PictureVolumes) -> tuple[str, str]:
    """Tell what lies beyond slice 0 and beyond the last slice."""
    return (_FEET, _HEAD) if volumes.headwards == 1 else (_HEAD, _FEET)

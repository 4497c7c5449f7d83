"""What is in a study, and what the reader would make of it, from headers alone unless voxels are asked for."""

from pipeline.inspection.case import inspect_case
from pipeline.inspection.results import CaseInspection, FileInspection, SeriesInspection, StudyInspection
from pipeline.inspection.studies import inspect_studies
from pipeline.inspection.text import as_text

__all__ = [
    "CaseInspection",
    "FileInspection",
    "SeriesInspection",
    "StudyInspection",
    "as_text",
    "inspect_case",
    "inspect_studies",
]

"""Result files of a case: NIfTI, DICOM SEG and SR, measurements, preview, provenance, and the table of all cases."""

from pipeline.export.case import CaseResult, case_content, write_case
from pipeline.export.dicom.options import SegOptions
from pipeline.export.files import make_folder, replacing, write_json
from pipeline.export.kinds import DEFAULT_KINDS, RESULT_KINDS, CaseContent, ResultKind, check_kinds
from pipeline.export.measurements import LesionMeasurement, LungVolume, Measurements, measure
from pipeline.export.nifti import write_label_map, write_volume
from pipeline.export.preview import write_preview
from pipeline.export.provenance import (
    PROVENANCE_FILE,
    BundleIdentity,
    RunRecord,
    provenance,
    read_provenance,
    voxel_hash,
    write_provenance,
)
from pipeline.export.severity import Severity, severity_of
from pipeline.export.table import CaseTable, done_row, failed_row

__all__ = [
    "DEFAULT_KINDS",
    "PROVENANCE_FILE",
    "RESULT_KINDS",
    "BundleIdentity",
    "CaseContent",
    "CaseResult",
    "CaseTable",
    "LesionMeasurement",
    "LungVolume",
    "Measurements",
    "ResultKind",
    "RunRecord",
    "SegOptions",
    "Severity",
    "case_content",
    "check_kinds",
    "done_row",
    "failed_row",
    "make_folder",
    "measure",
    "provenance",
    "read_provenance",
    "replacing",
    "severity_of",
    "voxel_hash",
    "write_case",
    "write_json",
    "write_label_map",
    "write_preview",
    "write_provenance",
    "write_volume",
]

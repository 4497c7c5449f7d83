"""Measurements as a structured report of DICOM's template TID 1500."""

from __future__ import annotations

from os import PathLike

from highdicom.sr import (
    CodedConcept,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    LanguageOfContentItemAndDescendants,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from pipeline.export.dicom.codes import CT_CHEST
from pipeline.export.dicom.equipment import MAKER, device_uid, equipment, plain_text, software_version, weights_id
from pipeline.export.dicom.patient import copy_patient
from pipeline.export.dicom.plan import SegPlan, new_uid
from pipeline.export.dicom.seg_header import first_slice, result_series_number
from pipeline.export.dicom.source import Source
from pipeline.export.dicom.sr_groups import MeasurementGroups
from pipeline.export.files import replacing
from pipeline.export.measurements import Measurements
from pipeline.export.provenance import BundleIdentity


def write_sr(
    path: str | PathLike[str],
    measurements: Measurements,
    source: Source,
    plan: SegPlan,
    *,
    bundle: BundleIdentity,
    refer_to_seg: bool = True,
) -> None:
    """Write a case's measurements as DICOM SR: a group for each class and each lung, and one for both lungs.

    Args:
        path: The file to write.
        measurements: The case's numbers.
        source: The slices that were measured.
        plan: The segments and identifiers of the SEG.
        bundle: What found the lesions.
        refer_to_seg: Whether the SEG is written, so that groups refer to its segments.

    Raises:
        OutputError: When the file cannot be written.
    """
    groups = MeasurementGroups(source=source, plan=plan, bundle=bundle, refer_to_seg=refer_to_seg)
    report = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=_device(bundle)),
        procedure_reported=CT_CHEST,
        imaging_measurements=groups.of(measurements),
        title=codes.DCM.ImagingMeasurementReport,
        language_of_content_item_and_descendants=LanguageOfContentItemAndDescendants(
            CodedConcept("en", "RFC5646", "English")
        ),
    )
    sr = ComprehensiveSR(
        evidence=_evidence(source, plan if refer_to_seg else None),
        content=report,
        series_instance_uid=new_uid(),
        series_number=result_series_number(source, 2),
        sop_instance_uid=new_uid(),
        instance_number=1,
        is_complete=True,
        series_description=plain_text(f"Measurements, {bundle.name}"),
        **equipment(bundle),
    )
    copy_patient(source.header, sr)
    with replacing(path) as temporary:
        sr.save_as(temporary)


def _device(bundle: BundleIdentity) -> ObserverContext:
    attributes = DeviceObserverIdentifyingAttributes(
        uid=device_uid(),
        name=f"{MAKER} {software_version()}",
        manufacturer_name=MAKER,
        model_name=plain_text(f"{bundle.name} {bundle.version}"),
        serial_number=weights_id(bundle),
    )
    return ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=attributes)


def _evidence(source: Source, plan: SegPlan | None) -> list[Dataset]:
    """What the report rests on: each object of the source once, and the SEG."""
    header = source.header
    objects = dict.fromkeys((one.sop_class_uid, one.sop_uid, header.SeriesInstanceUID) for one in source.slices)
    if plan is not None:
        objects[(plan.sop_class_uid, plan.sop_uid, plan.series_uid)] = None
    evidence: list[Dataset] = []
    for class_uid, uid, series_uid in objects:
        # highdicom asks the first for the patient; first_slice has all that it wants.
        item = Dataset() if evidence else first_slice(source)
        item.StudyInstanceUID, item.SeriesInstanceUID = header.StudyInstanceUID, series_uid
        item.SOPClassUID, item.SOPInstanceUID = class_uid, uid
        evidence.append(item)
    return evidence

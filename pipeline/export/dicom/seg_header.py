"""All of a SEG but its frames, made by highdicom."""

from __future__ import annotations

from typing import Any

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentDescription
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage
from pydicom.valuerep import format_number_as_ds

from pipeline.export.dicom.equipment import MAKER, equipment, plain_text, software_version, weights_id
from pipeline.export.dicom.patient import copy_patient
from pipeline.export.dicom.plan import Segment, SegPlan
from pipeline.export.dicom.source import IMAGE_TAGS, Source
from pipeline.export.provenance import BundleIdentity


def seg_header(source: Source, plan: SegPlan, bundle: BundleIdentity) -> Segmentation:
    """Make a SEG to which only its frames are to be added.

    Args:
        source: What was segmented.
        plan: The segments and identifiers.
        bundle: What segmented it.

    Returns:
        The SEG with one empty frame a segment, to be replaced.
    """
    seg = Segmentation(
        source_images=[first_slice(source)],
        pixel_array=np.zeros((1, source.rows, source.columns), dtype=np.uint8),
        segmentation_type=plan.options.type.upper(),
        segment_descriptions=[_describe(segment, bundle) for segment in plan.segments],
        series_instance_uid=plan.series_uid,
        series_number=result_series_number(source, 1),
        sop_instance_uid=plan.sop_uid,
        instance_number=1,
        series_description=plain_text(f"Segmentation, {bundle.name}"),
        content_label="SEGMENTATION",
        content_description=plain_text(f"{bundle.name} {bundle.version}"),
        omit_empty_frames=False,
        **equipment(bundle),
    )
    if "PixelPaddingValue" in seg:  # of a label map: unsigned, as its pixels
        seg["PixelPaddingValue"].VR = "US"
    copy_patient(source.header, seg)
    seg.ContentCreatorName = None
    _refer_to(seg, source)
    # The lungs hold the lesions.
    seg.SegmentsOverlap = "UNDEFINED" if any(segment.mask == "lungs" for segment in plan.segments) else "NO"
    shared = seg.SharedFunctionalGroupsSequence[0]
    # highdicom saw one slice and took a spacing of 1 mm.
    shared.PixelMeasuresSequence[0].SpacingBetweenSlices = format_number_as_ds(source.spacing_mm)
    if "SegmentIdentificationSequence" in shared:  # where there is one segment
        del shared.SegmentIdentificationSequence
    return seg


def first_slice(source: Source) -> Dataset:
    """What highdicom asks of a source, as one CT slice without a patient, whose data it would check and log."""
    header, image = source.header, Dataset()
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, source.slices[0].sop_uid
    image.Modality = "CT"
    image.StudyInstanceUID, image.SeriesInstanceUID = header.StudyInstanceUID, header.SeriesInstanceUID
    image.FrameOfReferenceUID = header.FrameOfReferenceUID
    image.PatientID = image.PatientName = image.PatientBirthDate = image.PatientSex = None
    image.AccessionNumber = image.StudyID = image.StudyDate = image.StudyTime = image.ReferringPhysicianName = None
    image.Rows, image.Columns = source.rows, source.columns
    image.ImagePositionPatient = list(source.slices[0].position)
    image.ImageOrientationPatient = list(source.orientation)
    image.PixelSpacing, image.SliceThickness = list(source.pixel_spacing_mm), source.thickness_mm
    for keyword in IMAGE_TAGS:
        if header.get(keyword):
            image[keyword] = header[keyword]
    return image


def result_series_number(source: Source, result: int) -> int:
    """A number for the series of a result, beside those of the study: series 3 gives 301 and 302."""
    try:
        number = int(source.header.get("SeriesNumber") or 0)
    except (TypeError, ValueError):
        number = 0
    return 100 * number + result if 0 < number < 10**7 else 9000 + result


def _describe(segment: Segment, bundle: BundleIdentity) -> SegmentDescription:
    given = segment.codes
    description = SegmentDescription(
        segment_number=segment.number,
        segment_label=plain_text(segment.name),
        segmented_property_category=given.category,
        segmented_property_type=given.type,
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=_algorithm(segment, bundle),
        tracking_uid=segment.tracking_uid,
        tracking_id=plain_text(segment.name),
        anatomic_regions=None if given.region is None else [given.region],
        display_color=CIELabColor.from_rgb(*segment.colour),
    )
    if given.modifier is not None:
        kind = description.SegmentedPropertyTypeCodeSequence[0]
        kind.SegmentedPropertyTypeModifierCodeSequence = [CodedConcept.from_code(given.modifier)]
    return description


def _algorithm(segment: Segment, bundle: BundleIdentity) -> AlgorithmIdentificationSequence:
    if segment.mask == "lungs":
        return AlgorithmIdentificationSequence(
            name=f"{MAKER} lung masks",
            family=codes.DCM.MorphologicalOperations,
            version=software_version(),
            source=MAKER,
        )
    parameters: dict[str, str] = {} if bundle.weights_hash is None else {"weights": weights_id(bundle)}
    return AlgorithmIdentificationSequence(
        name=plain_text(bundle.name),
        family=codes.DCM.ArtificialIntelligence,
        version=plain_text(bundle.version),
        source=MAKER,
        parameters=parameters or None,
    )


def _refer_to(seg: Any, source: Source) -> None:
    """Name each source object once, where highdicom named the first slice's."""
    references = []
    for uid, class_uid in dict.fromkeys((one.sop_uid, one.sop_class_uid) for one in source.slices):
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = class_uid, uid
        references.append(reference)
    series = Dataset()
    series.SeriesInstanceUID = source.header.SeriesInstanceUID
    series.ReferencedInstanceSequence = references
    seg.SourceImageSequence = references
    seg.ReferencedSeriesSequence = [series]

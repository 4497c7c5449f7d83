"""The patient and study of a source, carried into what is derived from it, as DICOM requires."""

from __future__ import annotations

from pydicom.charset import convert_encodings
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

COPIED_TAGS = [
    "SpecificCharacterSet",
    # Patient
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientBirthTime", "PatientSex",
    "OtherPatientIDs", "EthnicGroup", "PatientSpeciesDescription", "PatientIdentityRemoved", "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    # Study
    "StudyInstanceUID", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber",
    "StudyDescription", "PatientAge", "PatientSize", "PatientWeight",
    # Clinical trial
    "ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialProtocolName", "ClinicalTrialSiteID",
    "ClinicalTrialSiteName", "ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID", "ClinicalTrialTimePointID",
]  # fmt: skip
"""All that is carried over of the patient and the study."""


def copy_patient(header: Dataset, target: Dataset) -> None:
    """Copy patient, study and trial byte by byte, in the source's character set.

    The values are neither decoded nor checked: an unusual one stays as the archive knows it, and none reaches a
    warning.

    Args:
        header: Of the source, as it was read.
        target: The object to be written, in explicit little endian.
    """
    for keyword in COPIED_TAGS:
        tag = Tag(tag_for_keyword(keyword) or 0)
        if tag in header:
            target[tag] = header[tag] if dictionary_VR(tag) == "SQ" else _as_it_stands(header, tag)
    # Says that what is there in bytes can be written so; else it would be decoded, checked and encoded again.
    target.set_original_encoding(False, True, convert_encodings(target.get("SpecificCharacterSet") or "ISO_IR 6"))


def _as_it_stands(header: Dataset, tag: BaseTag) -> DataElement | RawDataElement:
    element = header.get_item(tag)
    # Implicit encodings do not say the representation, which the target's may need.
    return element._replace(VR=dictionary_VR(tag)) if isinstance(element, RawDataElement) else header[tag]

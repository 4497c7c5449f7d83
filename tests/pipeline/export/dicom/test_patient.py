"""The patient goes where DICOM requires it, as the source has it, and nowhere else."""

import logging

import pydicom
import pytest

from pipeline.export.dicom import plan_seg, write_seg, write_sr
from pipeline.export.measurements import measure
from tests.pipeline.export.dicom.conftest import BUNDLE, CLASSES, PATIENT, element_bytes

ODD = {
    "PatientName": "TELLING^" + "NAME" * 30,
    "PatientID": "SECRET-ID-77" * 8,
    "PatientBirthDate": "ca. 1901",
    "PatientSex": "W",
    "StudyDate": "gestern",
    "StudyTime": "SECRET",
}


@pytest.fixture
def results(ct, tmp_path, caplog, recwarn):
    """A function that writes SEG and SR of a series with some elements changed; returns a source file and the two."""

    def write(form="files", **elements):
        with pydicom.config.disable_value_validation():
            series = ct(form=form, **elements)
        caplog.clear()
        recwarn.clear()
        plan, source = plan_seg(CLASSES, with_lungs=False), series.source
        write_seg(tmp_path / "a.seg.dcm", series.label_map, source, plan, bundle=BUNDLE)
        numbers = measure(series.label_map, series.volume.array, None, series.volume.affine, CLASSES)
        write_sr(tmp_path / "a.sr.dcm", numbers, source, plan, bundle=BUNDLE)
        return next((tmp_path / "ct").iterdir()), tmp_path / "a.seg.dcm", tmp_path / "a.sr.dcm"

    return write


@pytest.mark.parametrize("form", ["files", "enhanced", "zip"])
def test_patient_and_study_are_the_source_s(results, form):
    for path in results(form)[1:]:
        found = pydicom.dcmread(path)
        assert {keyword: str(found[keyword].value) for keyword in PATIENT} == PATIENT


def test_unusual_values_are_kept_to_the_byte_and_stay_out_of_the_log(results, caplog, recwarn):
    caplog.set_level(logging.DEBUG)
    source, *written = results(**ODD)
    said = [record.getMessage() for record in caplog.records] + [str(warning.message) for warning in recwarn]
    assert not [text for text in said for word in ("TELLING", "SECRET", "1901", "gestern") if word in text]
    for path in written:
        for keyword, value in ODD.items():
            assert element_bytes(pydicom.dcmread(path), keyword) == element_bytes(pydicom.dcmread(source), keyword)
            assert value.encode() in element_bytes(pydicom.dcmread(path), keyword)


def test_names_keep_their_character_set(results):
    _, *written = results(SpecificCharacterSet="ISO_IR 144", PatientName="Люкceмбypг")
    for path in written:
        found = pydicom.dcmread(path)
        assert (found.SpecificCharacterSet, str(found.PatientName)) == ("ISO_IR 144", "Люкceмбypг")


def test_what_the_source_does_not_say_is_empty(results):
    _, *written = results(PatientName=None, PatientID="", AccessionNumber=None)
    for path in written:
        found = pydicom.dcmread(path)
        assert not found.PatientName
        assert found.PatientID == ""

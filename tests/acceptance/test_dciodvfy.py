"""dciodvfy finds no error in SEG and SR that the source's own slices do not have, and dcentvfy no contradiction."""

import shutil

import numpy as np
import pydicom
import pytest

pytestmark = pytest.mark.service

CLASSES_IT_KNOWS = {"CTImage", "Segmentation", "ComprehensiveSR"}


@pytest.fixture
def errors_in(run_program):
    """A function that gives the errors, not the warnings, that dciodvfy finds in a file."""

    def find(path):
        done = run_program("dciodvfy", path)
        lines = (done.stdout + done.stderr).splitlines()
        assert CLASSES_IT_KNOWS & set(lines), f"not verified: {lines[:5]}"
        return {line for line in lines if line.startswith("Error")}

    return find


@pytest.mark.parametrize("view", ["axial", "oblique", "sagittal"])
def test_a_phantom_s_slices_have_no_error(view, series_of, errors_in):
    for path in series_of(view).files[::12]:
        assert errors_in(path) == set()


@pytest.mark.parametrize("view", ["axial", "oblique", "reversed", "sagittal"])
def test_seg_and_sr_of_a_phantom_have_no_error(view, series_of, results_of, errors_in):
    series = series_of(view)
    results = results_of(series.folder, series.masks)
    assert errors_in(results.seg) == set()
    assert errors_in(results.sr) == set()


def test_an_empty_seg_and_its_sr_have_no_error(series_of, results_of, errors_in):
    series = series_of("axial")
    empty = series.planes(np.zeros_like(series.phantom.labels))
    results = results_of(series.folder, series.masks._replace(labels=empty, lungs=empty))
    assert errors_in(results.seg) == set()
    assert errors_in(results.sr) == set()


def test_errors_of_the_source_become_no_others(series_of, results_of, errors_in, tmp_path):
    """Headers as they come after careless de-identification and from old scanners."""
    series = series_of("axial")
    folder = shutil.copytree(series.folder, tmp_path / "careless")
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        del dataset.PatientBirthDate, dataset.PatientSex, dataset.StudyID
        dataset.PatientIdentityRemoved, dataset.DeidentificationMethod = "YES", ""
        dataset.ReferringPhysicianName, dataset.AccessionNumber = "", ""
        dataset.add_new(0x00131010, "LO", "study\0")
        dataset.add_new(0x00130010, "LO", "CTP")
        dataset.save_as(path)
    results, known = results_of(folder, series.masks), errors_in(path)
    assert len(known) > 3
    assert errors_in(results.seg) <= known
    assert errors_in(results.sr) <= known


def masks_by_threshold(folder):
    """Consolidation where it is bright, a left lung where it is dark."""
    pixels = {one.SOPInstanceUID: one.pixel_array for one in map(pydicom.dcmread, folder.iterdir())}
    labels = {uid: np.uint8(2) * (plane > 1500) for uid, plane in pixels.items()}
    return labels, {uid: np.uint8(1) * (plane < 200) for uid, plane in pixels.items()}


@pytest.mark.parametrize("encoding", ["uncompressed", "jpeg2000"])  # Debian's dciodvfy cannot inflate
@pytest.mark.parametrize("name", ["chest-lidc-0314", "chest-lung-dx-a0002/series-3-B40f"])
def test_errors_of_a_real_source_become_no_others(name, encoding, real_data, results_of, errors_in):
    folder = real_data / name
    known = errors_in(next(folder.iterdir()))
    results = results_of(folder, masks_by_threshold(folder), encoding=encoding)
    assert errors_in(results.seg) <= known
    assert errors_in(results.sr) <= known


def test_patient_study_and_frame_of_reference_are_the_source_s(series_of, results_of, run_program):
    series = series_of("axial")
    results = results_of(series.folder, series.masks)

    def contradictions():
        done = run_program("dcentvfy", *series.files[:3], results.seg, results.sr)
        return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]

    assert contradictions() == []
    seg = pydicom.dcmread(results.seg)
    seg.PatientID = "another"
    seg.save_as(results.seg)
    assert any("PatientID" in line for line in contradictions())


def test_an_error_would_be_found(series_of, results_of, errors_in):
    series = series_of("axial")
    results = results_of(series.folder, series.masks)
    seg = pydicom.dcmread(results.seg)
    del seg.SegmentSequence[0].SegmentAlgorithmType
    seg.save_as(results.seg)
    assert any("SegmentAlgorithmType" in line for line in errors_in(results.seg))

"""Series whose slices lie in several folders are one case."""

import logging

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from pipeline.datasets import Case, find_cases
from pipeline.datasets.studies import search_cases


def slices(folder, places, series="1.2.3", study="1.2", scan=""):
    """Slices at these places along z, whose instance UIDs follow from series, scan and place."""
    folder.mkdir(parents=True, exist_ok=True)
    for place in places:
        one = Dataset()
        one.file_meta = FileMetaDataset()
        one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        one.SOPClassUID, one.Modality, one.Rows, one.Columns = CTImageStorage, "CT", 4, 4
        one.StudyInstanceUID, one.SeriesInstanceUID = study, series
        one.SOPInstanceUID = f"{series}{scan}.{place}"
        one.ImagePositionPatient, one.ImageOrientationPatient = [0, 0, place], [1, 0, 0, 0, 1, 0]
        one.save_as(folder / f"{series}{scan}_{place}.dcm", enforce_file_format=True)
    return folder


def cases(*studies, **options):
    return [(case.path, case.series_uid) for case in find_cases(list(studies), **options)]


def test_a_series_over_two_folders_is_one_case_of_the_folder_above(tmp_path):
    slices(tmp_path / "p" / "a", range(5))
    slices(tmp_path / "p" / "b", range(5, 9))
    other = slices(tmp_path / "p" / "c", range(9), series="1.2.4")
    assert find_cases(tmp_path) == [
        Case(name="p", path=tmp_path / "p", series_uid="1.2.3"),
        Case(name="c", path=other),
    ]


def test_folders_in_the_folder_of_a_series_hold_no_case_of_their_own(tmp_path):
    slices(tmp_path / "ct", range(5))
    slices(tmp_path / "ct" / "more", range(5, 9))
    assert cases(tmp_path) == [(tmp_path / "ct", "1.2.3")]


def test_copies_stay_two_cases(tmp_path):
    one, other = slices(tmp_path / "a", range(5)), slices(tmp_path / "b", range(5))
    assert cases(tmp_path) == [(one, None), (other, None)]


def test_a_part_that_another_folder_holds_too_is_left_out_and_it_is_said(tmp_path):
    whole = slices(tmp_path / "a", range(5))
    slices(tmp_path / "b", range(3))
    found = search_cases([tmp_path])
    assert [case.path for case in found.cases] == [whole]
    assert found.left_out == [(tmp_path, "1 DICOM folder(s) with slices that others hold too left out")]


def test_a_part_that_is_named_is_taken(tmp_path):
    whole, part = slices(tmp_path / "a", range(5)), slices(tmp_path / "b", range(3))
    assert cases(whole, part) == [(whole, None), (part, None)]


def test_overlapping_parts_are_joined(tmp_path):
    slices(tmp_path / "a", range(5))
    slices(tmp_path / "b", range(3, 9))
    assert cases(tmp_path) == [(tmp_path, "1.2.3")]


def test_other_slices_at_the_same_place_are_another_stack(tmp_path):
    one, other = slices(tmp_path / "a", range(5)), slices(tmp_path / "b", range(4), scan=".7")
    assert cases(tmp_path) == [(one, None), (other, None)]


def test_one_uid_in_two_studies_is_two_series(tmp_path):
    one, other = slices(tmp_path / "a", range(5)), slices(tmp_path / "b", range(5, 9), study="1.3")
    assert cases(tmp_path) == [(one, None), (other, None)]


def test_exported_in_folders_of_so_many_files(tmp_path):
    slices(tmp_path / "1", range(4))
    slices(tmp_path / "1", range(3), series="1.2.4")
    slices(tmp_path / "2", range(3, 7), series="1.2.4")
    slices(tmp_path / "2", range(2), series="1.2.5")
    slices(tmp_path / "2", range(2), series="1.2.6")
    assert cases(tmp_path) == [
        (tmp_path / "1", "1.2.3"),
        (tmp_path, "1.2.4"),
        (tmp_path / "2", "1.2.5"),
        (tmp_path / "2", "1.2.6"),
    ]


def test_the_series_asked_for_keeps_its_part(tmp_path):
    slices(tmp_path / "a", range(5))
    slices(tmp_path / "b", range(5, 9))
    assert cases(tmp_path, series_uid="1.2.3:AcquisitionNumber=2") == [(tmp_path, "1.2.3:AcquisitionNumber=2")]


def test_folders_beside_one_another_given_by_name_are_joined(tmp_path, monkeypatch):
    one, other = slices(tmp_path / "a", range(5)), slices(tmp_path / "b", range(5, 9))
    assert cases(one, other) == [(tmp_path, "1.2.3")]
    assert cases(tmp_path / "*") == [(tmp_path, "1.2.3")]
    assert cases(tmp_path, pattern="?") == [(tmp_path, "1.2.3")]
    monkeypatch.chdir(tmp_path)
    assert cases("a", other) == [(tmp_path, "1.2.3")]


def test_parts_given_from_far_apart_are_read_by_themselves_and_it_is_said(tmp_path, caplog):
    one, other = slices(tmp_path / "x" / "a", range(5)), slices(tmp_path / "y" / "b", range(5, 9))
    with caplog.at_level(logging.WARNING):
        assert cases(one, other) == [(one, None), (other, None)]
    assert "The series 1.2.3 lies in several of the folders" in caplog.text
    assert str(other) in caplog.text


@pytest.mark.parametrize("study", ["", "1.2"])
def test_folders_of_which_a_header_is_corrupt(tmp_path, study):
    slices(tmp_path / "a", range(5), study=study)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.dcm").write_bytes((tmp_path / "a" / "1.2.3_0.dcm").read_bytes()[:150])
    assert cases(tmp_path) == [(tmp_path / "a", None), (tmp_path / "b", None)]

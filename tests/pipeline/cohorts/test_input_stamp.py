"""An input is told from a changed one without being read."""

import os

import pytest

from pipeline.cohorts.input_stamp import input_stamp


@pytest.fixture
def series(tmp_path):
    folder = tmp_path / "ct"
    (folder / "inner").mkdir(parents=True)
    for name in ("1.dcm", "2.dcm", "inner/3.dcm"):
        (folder / name).write_bytes(b"x")
    return folder


def stamp(path, **more):
    return input_stamp({"case": "a", "image": str(path), **more})


def test_a_folder_counts_with_all_that_is_below_it(series):
    found = stamp(series)
    assert (found["files"], found["bytes"]) == (3, 3)
    (series / "inner" / "3.dcm").write_bytes(b"xx")
    assert stamp(series) != found


def longer(series):
    (series / "1.dcm").write_bytes(b"xx")


def later(series):
    os.utime(series / "1.dcm", (1, 1))


def another(series):
    (series / "4.dcm").write_bytes(b"x")


def fewer(series):
    (series / "2.dcm").unlink()


def renamed(series):
    (series / "2.dcm").rename(series / "5.dcm")


@pytest.mark.parametrize("change", [longer, later, another, fewer, renamed])
def test_every_change_shows(series, change):
    before = stamp(series)
    change(series)
    assert stamp(series) != before


def test_results_in_the_input_s_own_folder_are_no_part_of_it(series):
    before = stamp(series)
    case = series / "out" / "ct"
    case.mkdir(parents=True)
    (series / "out" / ".locks").mkdir()
    (case / "provenance.json").write_text("{}")
    for name in ("cases.csv", "index.html"):
        (series / "out" / name).write_text("x")
        (series / name).write_text("x")
    assert stamp(series) == before


def test_a_moved_folder_is_the_same_and_another_series_of_it_is_not(series, tmp_path):
    before = stamp(series)
    series.rename(tmp_path / "moved")
    assert stamp(tmp_path / "moved") == before
    assert stamp(tmp_path / "moved", series_uid="1.2") != before


def test_voxels_beside_their_header_count(tmp_path):
    (tmp_path / "a.mhd").write_text("header")
    (tmp_path / "a.raw").write_bytes(b"1")
    (tmp_path / "b.raw").write_bytes(b"1")
    before = stamp(tmp_path / "a.mhd")
    (tmp_path / "b.raw").write_bytes(b"22")
    assert stamp(tmp_path / "a.mhd") == before
    (tmp_path / "a.raw").write_bytes(b"22")
    assert stamp(tmp_path / "a.mhd") != before


def test_a_series_of_an_archive_is_its_address():
    address = "https://host/dicom-web/studies/1.2/series/1.2.3"
    assert stamp(address) == stamp(address)
    assert stamp(address) != stamp(address + ".4")


@pytest.mark.parametrize("image", ["nowhere.nii.gz", 3.0])
def test_what_is_not_there_has_none(image):
    assert input_stamp({"case": "a", "image": image}) is None

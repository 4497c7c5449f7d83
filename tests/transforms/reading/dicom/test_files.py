"""Where the slices of a series may lie."""

import numpy as np
import pytest
from pydicom.fileset import FileSet

from transforms.reading import read_ct


def scatter(series, places):
    """Writes the slices into folders, in turn."""
    series.folder.mkdir()
    for k, dataset in enumerate(series.slices):
        folder = series.folder / places[k % len(places)]
        folder.mkdir(parents=True, exist_ok=True)
        dataset.save_as(folder / f"IM{k:04d}", enforce_file_format=True)
    return series.folder


@pytest.mark.parametrize("places", [("a", "b/c"), (".", "b"), (".", "b/c/d", "e")], ids=str)
def test_a_series_may_be_spread_over_folders(dicom_series, places):
    series = dicom_series()
    np.testing.assert_array_equal(read_ct(scatter(series, places)).array, series.hu)


def test_other_series_below_are_left_alone(dicom_series):
    series, other = dicom_series(), dicom_series("ct/below", shape=(7, 6, 50), seed=1)
    other.write()
    series.write()
    volume = read_ct(series.folder)
    np.testing.assert_array_equal(volume.array, series.hu)
    assert volume.repairs == ()


@pytest.fixture
def disc(dicom_series, tmp_path):
    """A series on a disc with an index, in the folders that pydicom gives it."""
    series, files = dicom_series(), FileSet()
    for dataset in series.slices:
        dataset.StudyDate, dataset.StudyTime, dataset.SeriesNumber = "20200101", "100000", 1
        dataset.StudyID, dataset.AccessionNumber = "1", ""
        files.add(dataset)
    files.write(tmp_path / "disc")
    assert (tmp_path / "disc/DICOMDIR").is_file()
    return series, tmp_path / "disc"


@pytest.mark.parametrize("given", ["DICOMDIR", "."])
def test_an_index_stands_for_what_lies_below_it(disc, given):
    series, folder = disc
    volume = read_ct(folder / given)
    np.testing.assert_array_equal(volume.array, series.hu)
    assert volume.repairs == ("Files in the folder that are not CT slices were passed over: 1 not DICOM.",)


def test_an_index_under_another_name_is_no_slice(disc):
    series, folder = disc
    (folder / "DICOMDIR").rename(next(folder.rglob("IM*")).parent / "index")
    volume = read_ct(folder)
    np.testing.assert_array_equal(volume.array, series.hu)
    assert "1 DICOMDIR" in volume.repairs[0]

"""A series that went through a real archive is the series that went in."""

import numpy as np
import pydicom
import pytest

from transforms.reading import read_ct

pytestmark = pytest.mark.service

VIEWS = ["axial", "oblique", "reversed", "sagittal"]


@pytest.mark.parametrize("view", VIEWS)
def test_a_series_comes_back_with_every_voxel_at_its_place(view, archive, series_of, tmp_path):
    series = series_of(view)
    archive.store(series.files)
    before, after = read_ct(series.folder), read_ct(archive.fetch_series(series.files[0], tmp_path / "fetched"))
    np.testing.assert_array_equal(after.array, before.array)
    np.testing.assert_array_equal(after.affine, before.affine)
    assert after.series_uid == before.series_uid
    assert after.repairs == ()
    planes = series.planes(series.phantom.hu)
    for index, path in enumerate(after.source_files):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        np.testing.assert_array_equal(after.array[:, :, index].T, planes[header.SOPInstanceUID])
        in_ras = np.multiply(header.ImagePositionPatient, [-1, -1, 1])
        np.testing.assert_allclose((after.affine @ [0, 0, index, 1])[:3], in_ras, rtol=0, atol=1e-6)


@pytest.mark.parametrize("view", VIEWS)
def test_the_archive_s_zip_of_a_study_is_read_as_it_is(view, archive, series_of, tmp_path):
    series = series_of(view)
    archive.store(series.files)
    before, after = read_ct(series.folder), read_ct(archive.fetch_zip(tmp_path / "study.zip"))
    np.testing.assert_array_equal(after.array, before.array)
    np.testing.assert_array_equal(after.affine, before.affine)
    assert after.repairs == ()

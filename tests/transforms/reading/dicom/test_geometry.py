"""Orientation, position and spacing as headers give them: exact, repaired and said, or refused."""

import re
import warnings

import numpy as np
import pydicom
import pytest
from scipy.spatial.transform import Rotation

from transforms.reading import read_ct

OBLIQUE = Rotation.from_euler("xyz", [10, -20, 30], degrees=True).as_matrix()
POSES = {  # row, column and normal of axial slices in the patient, LPS, by how the patient lies
    "HFS": np.diag([1, 1, 1]),
    "HFP": np.diag([-1, -1, 1]),
    "FFS": np.diag([-1, 1, -1]),
    "FFP": np.diag([1, -1, -1]),
    "HFDR": np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]),
    "HFDL": np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
}


def orient(series, values):
    with pydicom.config.disable_value_validation():
        for dataset in series.slices:
            dataset.ImageOrientationPatient = [str(value) for value in values]


@pytest.mark.parametrize("position", POSES)
def test_the_patient_may_lie_in_any_way(dicom_series, position):
    series = dicom_series(axes=POSES[position])
    for dataset in series.slices:
        dataset.PatientPosition = position
    volume = read_ct(series.write())
    np.testing.assert_array_equal(volume.array, series.hu)
    np.testing.assert_allclose(volume.affine, series.affine_ras, atol=1e-6)


def test_stacking_against_the_normal_is_turned_round(dicom_series):
    axes = np.diag([1.0, 1.0, -1.0])  # the first file lies last along row x column
    series = dicom_series(axes=axes)
    volume = read_ct(series.write())
    np.testing.assert_array_equal(volume.array, series.hu[..., ::-1])
    np.testing.assert_allclose(volume.affine @ [0, 0, 4, 1], series.affine_ras @ [0, 0, 0, 1])
    assert np.linalg.det(volume.affine[:3, :3]) > 0


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, when it writes
def test_numbers_longer_than_the_standard_allows_are_read_to_the_last_digit(dicom_series):
    series = dicom_series(shape=(300, 2, 3))
    orient(series, OBLIQUE[:, :2].T.ravel())
    with pydicom.config.disable_value_validation():
        for k, dataset in enumerate(series.slices):
            place = OBLIQUE @ [0, 0, 2 * k] + [0.1234567890123456789, -1.9876543210987654, 3]
            dataset.ImagePositionPatient = [f"{value:.19f}" for value in place]
            assert max(len(str(value)) for value in dataset.ImagePositionPatient) > 16
        folder = series.write()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # one would print the header's values
        volume = read_ct(folder)
    expected = OBLIQUE * [0.7, 0.8, 2.0] * np.array([[-1], [-1], [1]])
    np.testing.assert_allclose(volume.affine[:3, :3], expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(volume.affine[:3, 3], [-0.12345678901234568, 1.9876543210987654, 3], rtol=0, atol=1e-15)
    assert volume.repairs == ()


@pytest.mark.parametrize("digits", [5, 7])
def test_rounded_axes_are_made_perpendicular_in_silence(dicom_series, digits):
    series = dicom_series(axes=OBLIQUE, shape=(7, 6, 3))
    orient(series, OBLIQUE[:, :2].T.ravel().round(digits))
    volume = read_ct(series.write())
    axes = volume.affine[:3, :3] / [0.7, 0.8, np.linalg.norm(volume.affine[:3, 2])]
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    assert volume.repairs == ()


def test_axes_off_within_the_tolerance_are_put_right_and_said(dicom_series):
    series = dicom_series(shape=(7, 6, 3))
    orient(series, [1, 8e-4, 0, 0, 1, 0])
    volume = read_ct(series.write())
    turn = np.arctan(volume.affine[1, 0] / volume.affine[0, 0])
    assert turn == pytest.approx(4e-4, abs=1e-6)  # half of the error for each axis
    assert volume.affine[:3, 0] @ volume.affine[:3, 1] == pytest.approx(0, abs=1e-12)
    assert "off by 0.0008" in volume.repairs[0]


@pytest.mark.parametrize(
    "values",
    [[1, 2e-3, 0, 0, 1, 0], [1.002, 0, 0, 0, 1, 0], [0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0]],
)
def test_axes_off_beyond_the_tolerance_are_refused(dicom_series, refusal, values):
    series = dicom_series()
    orient(series, values)
    message = refusal(series.write())
    assert "GeometryError" in message
    assert "perpendicular unit vectors" in message
    assert "at most 0.001" in message


@pytest.mark.parametrize("value", ["1_0", "nan", "1e400", "0x10", "a", ""])
def test_what_is_no_number_is_no_position(dicom_series, refusal, value):
    series = dicom_series()
    with pydicom.config.disable_value_validation():
        folder = series.write()
        path = sorted(folder.iterdir())[2]
        content = path.read_bytes()
        old = re.search(rb"-10\.000000\\20\.000000\\-26\.000000", content)[0]
        new = b"\\".join([value.encode(), b"20", b"-26"])
        path.write_bytes(content.replace(old, new + b" " * (len(old) - len(new))))
    assert "ImagePositionPatient missing or malformed" in refusal(folder)


@pytest.mark.parametrize("keyword", ["FrameOfReferenceUID", "StudyInstanceUID"])
def test_slices_of_different_coordinates_are_not_stacked(dicom_series, refusal, keyword):
    series = dicom_series()
    setattr(series.slices[3], keyword, "1.2.3.4")
    message = refusal(series.write())
    assert f"differ in {keyword}" in message
    assert "1.2.3.4" in message


@pytest.mark.parametrize(("thickness", "between", "expected"), [(3.0, 5.0, 3.0), (None, 5.0, 5.0), (0, -4.0, 4.0)])
def test_a_slice_alone_takes_what_is_said_of_its_thickness(dicom_series, thickness, between, expected):
    series = dicom_series(shape=(7, 6, 1))
    series.slices[0].SliceThickness, series.slices[0].SpacingBetweenSlices = thickness, between
    assert read_ct(series.write()).affine[2, 2] == expected


@pytest.mark.parametrize("mark", ["LOCALIZER", "SCOUT", "TOPOGRAM", "SURVIEW"])
def test_scouts_in_the_series_are_passed_over(dicom_series, mark):
    series = dicom_series()
    scout = dicom_series("scout", shape=(40, 30, 1), axes=[[1, 0, 0], [0, 0, 1], [0, -1, 0]]).slices[0]
    scout.SeriesInstanceUID, scout.ImageType = series.uid, ["ORIGINAL", "PRIMARY", mark]
    series.slices.insert(2, scout)
    volume = read_ct(series.write())
    np.testing.assert_array_equal(volume.array, series.hu)
    assert volume.repairs == ("Files in the folder that are not CT slices were passed over: 1 localizers.",)


def test_screenshots_stored_as_ct_are_passed_over(dicom_series):
    series = dicom_series()
    picture = dicom_series("picture", shape=(40, 30, 1)).slices[0]
    picture.SeriesInstanceUID, picture.ImageType = series.uid, ["DERIVED", "SECONDARY", "SCREEN SAVE"]
    del picture.ImagePositionPatient
    series.slices.insert(2, picture)
    np.testing.assert_array_equal(read_ct(series.write()).array, series.hu)

"""DICOM that cannot be trusted: each refusal says what, where, and what to do, and nothing of the patient."""

import copy
import logging

import numpy as np
import pytest
import torch

from transforms.errors import (
    GeometryError,
    IntensityError,
    NotFoundError,
    SeriesError,
    SettingError,
    UnreadableError,
)
from transforms.reading import LoadCTd, read_ct


@pytest.fixture
def expect_refusal(caplog):
    """Reads a path that must be refused; checks the message for its parts and for the patient."""

    def check(kind, path, *parts, **options):
        with caplog.at_level(logging.DEBUG), pytest.raises(kind) as caught:
            read_ct(path, **options)
        message = str(caught.value)
        assert caught.value.remedy, "no remedy"
        for part in (str(path), *parts):
            assert part in message
        for secret in ("TELLING", "SECRET-ID", "19010203"):
            assert secret not in message + caplog.text
        return message

    return check


def move(dataset, dx=0.0, dy=0.0, dz=0.0):
    x, y, z = map(float, dataset.ImagePositionPatient)
    dataset.ImagePositionPatient = [x + dx, y + dy, z + dz]


def test_missing_slice(dicom_series, expect_refusal):
    series = dicom_series()
    del series.slices[2]
    expect_refusal(
        GeometryError, series.write(), "1 slice(s) seem to be missing", "4.00 mm (1x)", "2.00 mm (2x)", "_001.dcm"
    )


def test_missing_slice_near_the_end_of_a_long_series(dicom_series, expect_refusal):
    series = dicom_series(shape=(2, 2, 60), spacing=(1, 1, 0.5))
    del series.slices[58]
    expect_refusal(GeometryError, series.write(), "1 slice(s) seem to be missing")


def test_uneven_spacing(dicom_series, expect_refusal):
    series = dicom_series()
    move(series.slices[4], dz=0.7)
    expect_refusal(
        GeometryError, series.write(), "not evenly spaced", "2.70 mm", "0.1 mm of an even grid", "--allow uneven"
    )


def test_header_rounding_is_no_uneven_spacing(dicom_series):
    series = dicom_series()
    move(series.slices[2], dz=0.01)
    assert read_ct(series.write()).affine[2, 2] == pytest.approx(2.0)


def test_gantry_tilt(dicom_series, expect_refusal):
    series = dicom_series()
    for k, dataset in enumerate(series.slices):
        move(dataset, dy=k * 2.0 * np.tan(np.radians(15)))
    expect_refusal(GeometryError, series.write(), "gantry tilt", "15.0 degrees", "--allow tilt")


def test_mixed_orientation(dicom_series, expect_refusal):
    series = dicom_series()
    series.slices[3].ImageOrientationPatient = [1, 0, 0, 0, 0, 1]
    folder = series.write()
    expect_refusal(GeometryError, folder, "differ in ImageOrientationPatient", "_003.dcm", "1 0 0 0 0 1", "1 0 0 0 1 0")


def test_mixed_size(dicom_series, expect_refusal):
    series = dicom_series()
    series.slices[3].Rows = 5
    expect_refusal(GeometryError, series.write(), "differ in Rows x Columns", "5 x 7", "6 x 7")


def test_mixed_pixel_spacing(dicom_series, expect_refusal):
    series = dicom_series()
    series.slices[3].PixelSpacing = [0.8, 0.71]
    expect_refusal(GeometryError, series.write(), "differ in PixelSpacing", "0.8 0.71")


def test_different_slices_at_one_place(dicom_series, expect_refusal):
    series = dicom_series()
    second = copy.deepcopy(series.slices[1])
    second.PixelData = series.slices[0].PixelData
    series.slices.append(second)
    expect_refusal(GeometryError, series.write(), "two different slices lie at one place", "_001.dcm", "_005.dcm")


def test_one_slice_without_thickness(dicom_series, expect_refusal):
    series = dicom_series(shape=(7, 6, 1))
    del series.slices[0].SliceThickness
    expect_refusal(GeometryError, series.write(), "one slice", "neither SliceThickness")


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_missing_place(dicom_series, expect_refusal, keyword):
    series = dicom_series()
    delattr(series.slices[2], keyword)
    expect_refusal(GeometryError, series.write(), keyword, "_002.dcm")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_malformed_place(dicom_series, expect_refusal):
    series = dicom_series()
    series.slices[2].ImagePositionPatient = [1, 2]
    expect_refusal(GeometryError, series.write(), "ImagePositionPatient missing or malformed")


def test_orientation_that_is_no_frame(dicom_series, expect_refusal):
    series = dicom_series()
    for dataset in series.slices:
        dataset.ImageOrientationPatient = [1, 0, 0, 0.5, 1, 0]
    expect_refusal(GeometryError, series.write(), "perpendicular", "1 0 0 0.5 1 0")


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
def test_missing_rescale(dicom_series, expect_refusal, keyword):
    series = dicom_series()
    delattr(series.slices[2], keyword)
    folder = series.write()
    expect_refusal(IntensityError, folder, keyword, "_002.dcm", "--allow not-hu")
    assert "as stored" in read_ct(folder, allow=["not-hu"]).repairs[0]


def test_truncated_pixels(dicom_series, expect_refusal):
    series = dicom_series()
    series.slices[2].PixelData = series.slices[2].PixelData[:-10]
    expect_refusal(
        UnreadableError, series.write(), "pixels are cut short", "_002.dcm", "74 bytes", "84 bytes", "Transfer"
    )


@pytest.mark.parametrize("keep", [0, 10, 200, 700])
def test_file_cut_short(dicom_series, expect_refusal, keep):
    series = dicom_series(shape=(30, 30, 4))
    file = sorted(series.write().iterdir())[-1]  # the last slice: no gap would tell
    file.write_bytes(file.read_bytes()[:keep])
    expect_refusal((UnreadableError, SeriesError, GeometryError), series.folder, "_003.dcm")


def test_no_ct(dicom_series, expect_refusal):
    series = dicom_series()
    for dataset in series.slices:
        dataset.Modality, dataset.SOPClassUID = "MR", "1.2.840.10008.5.1.4.1.1.4"
    expect_refusal(SeriesError, series.write(), "no CT series", "5 modality MR")


def test_a_modality_that_is_a_name_is_not_repeated(dicom_series, expect_refusal):
    series = dicom_series()
    for dataset in series.slices:
        dataset.Modality = "TELLING NAME"
    expect_refusal(SeriesError, series.write(), "no CT series")


def test_missing_path_and_empty_folder(tmp_path, expect_refusal):
    expect_refusal(NotFoundError, tmp_path / "nothing", "no such file")
    (tmp_path / "empty").mkdir()
    expect_refusal(NotFoundError, tmp_path / "empty", "empty")


def test_folder_without_dicom(tmp_path, expect_refusal):
    (tmp_path / "notes.txt").write_text("notes")
    expect_refusal(SeriesError, tmp_path, "no CT series", "1 not DICOM")
    (tmp_path / "ct.nii.gz").write_bytes(b"x")
    expect_refusal(SeriesError, tmp_path, "volume files", "Give one of the files")


@pytest.mark.parametrize("name", ["0001.dcm", "IM0001", "CT.1.2.840.7"])
def test_zero_byte_slice(dicom_series, expect_refusal, name):
    folder = dicom_series().write()
    (folder / name).write_bytes(b"")
    expect_refusal(UnreadableError, folder, "empty", name)


def test_something_else_named_dcm(dicom_series, expect_refusal):
    folder = dicom_series().write()
    (folder / "x.dcm").write_text("<html>not found</html>" * 20)
    expect_refusal(UnreadableError, folder, "not DICOM", "x.dcm")


def test_unknown_file(tmp_path, expect_refusal):
    (tmp_path / "ct.png").write_bytes(b"\x89PNG")
    expect_refusal(UnreadableError, tmp_path / "ct.png", "no known kind", ".png", ".nii.gz")
    (tmp_path / "zero.nii.gz").write_bytes(b"")
    expect_refusal(UnreadableError, tmp_path / "zero.nii.gz", "the file is empty")


def test_wrong_settings():
    with pytest.raises(SettingError, match="evenn"):
        LoadCTd("image", allow=["evenn"])
    with pytest.raises(SettingError, match="must be a list"):
        LoadCTd("image", allow="uneven")
    with pytest.raises(SettingError, match="dtype"):
        LoadCTd("image", dtype=torch.int16)


def test_what_stands_in_place_of_a_uid_is_safe_to_print(dicom_series, expect_refusal):
    series = dicom_series()
    series.slices[1].add_new("FrameOfReferenceUID", "LO", "1.2\x1b[31m3")
    message = expect_refusal(GeometryError, series.write(), "differ in FrameOfReferenceUID", "found 1.2__31m3")
    assert message.isprintable()

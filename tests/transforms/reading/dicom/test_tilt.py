"""Gantry tilt: refused, or on request corrected to what an untilted scanner would have seen."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from transforms.reading import read_ct

OBLIQUE = Rotation.from_euler("xyz", [10, -20, 30], degrees=True).as_matrix()


def sheared(along_row=0.0, along_column=0.0, frame=None):
    """Axes whose third one leans by so many degrees along the rows and the columns."""
    frame = np.eye(3) if frame is None else frame
    lean = np.tan(np.radians([along_row, along_column]))
    return np.c_[frame[:, 0], frame[:, 1], frame[:, 2] + frame[:, :2] @ lean]


LEANING = {
    "along the columns": sheared(along_column=18.5),
    "the other way": sheared(along_column=-18.5),
    "along the rows": sheared(along_row=-12.0),
    "both": sheared(along_row=9.0, along_column=14.0),
    "oblique": sheared(along_column=25.0, frame=OBLIQUE),
    "coronal": sheared(along_column=20.0, frame=np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])),
}


@pytest.mark.parametrize("axes", LEANING.values(), ids=LEANING)
def test_values_lie_where_they_were_measured(ramp_series, follows_ramp, axes):
    series = ramp_series(axes=axes, shape=(20, 16, 8), spacing=(0.7, 0.8, 2.0))
    volume = read_ct(series.write(order=[3, 1, 0, 7, 5, 2, 4, 6]), allow=["tilt"])
    measured = volume.array != -1024
    assert follows_ramp(volume)[measured].all()
    assert measured.sum() >= 8 * 19 * 15  # interpolation costs each slice one line at most
    assert not follows_ramp(volume)[~measured].any()
    assert volume.resampled == ("tilt",)


def test_the_volume_is_straight_and_holds_all_that_was_measured(ramp_series):
    series = ramp_series(axes=sheared(along_column=-18.5), shape=(20, 16, 8), spacing=(0.7, 0.8, 2.0))
    volume = read_ct(series.write(), allow=["tilt"])
    lean = int(np.ceil(7 * 2.0 * np.tan(np.radians(18.5)) / 0.8))
    assert volume.array.shape == (20, 16 + lean, 8)
    np.testing.assert_allclose(np.linalg.norm(volume.affine[:3, :3], axis=0), (0.7, 0.8, 2.0), atol=1e-5)
    # The first slice stays as it is.
    np.testing.assert_allclose(volume.array[:, lean:, 0], series.hu[..., 0], atol=0.01)
    assert volume.array[:, :lean, 0].max() == -1024
    assert "tilted by 18.5 degrees" in volume.repairs[0]
    assert f"by 0 x {lean} voxels" in volume.repairs[0]
    assert len(volume.source_files) == 8


def test_a_moved_table_is_no_tilt(ramp_series, refusal):
    series = ramp_series(axes=sheared(along_column=10.0))
    x, y, z = map(float, series.slices[2].ImagePositionPatient)
    series.slices[2].ImagePositionPatient = [x + 0.5, y, z]
    message = refusal(series.write(), allow=["tilt"])
    assert "GeometryError" in message
    assert "not as a tilted gantry does it" in message
    assert "--allow" not in message


def test_a_lean_beyond_any_gantry_is_refused(ramp_series, refusal):
    series = ramp_series(axes=sheared(along_column=40.0))
    assert "40.0 degrees" in refusal(series.write(), allow=["tilt"])


def test_tilt_is_not_corrected_unasked(ramp_series, refusal):
    folder = ramp_series(axes=sheared(along_column=18.5)).write()
    for allow in ([], ["uneven", "not-hu"]):
        message = refusal(folder, allow=allow)
        assert "gantry tilt" in message
        assert "--allow tilt" in message


@pytest.mark.parametrize(("said", "axes"), [(18.5, None), (5.0, sheared(along_column=18.5))])
def test_a_header_that_contradicts_the_positions_is_mentioned(dicom_series, said, axes):
    series = dicom_series(axes=axes)
    for dataset in series.slices:
        dataset.GantryDetectorTilt = said
    repairs = read_ct(series.write(), allow=["tilt"]).repairs
    assert f"GantryDetectorTilt says {said:g} degrees" in repairs[0]


def test_a_header_that_agrees_is_not(dicom_series):
    series = dicom_series(axes=sheared(along_column=-18.5))
    for dataset in series.slices:
        dataset.GantryDetectorTilt = 18.5  # its sign is the vendor's
    (repair,) = read_ct(series.write(), allow=["tilt"]).repairs
    assert "GantryDetectorTilt" not in repair


def test_values_off_the_field_of_view_do_not_blend_in(ramp_series):
    series = ramp_series(axes=sheared(along_column=18.5), shape=(20, 16, 8))
    for dataset in series.slices:
        stored = np.frombuffer(dataset.PixelData, "<u2").reshape(16, 20).copy()
        stored[:5] = 0  # the slices are shifted along their columns
        dataset.PixelData = stored.tobytes()
        dataset.RescaleIntercept = -3024
        dataset.RescaleSlope = 1 / 8
    volume = read_ct(series.write(), allow=["tilt"])
    values = np.unique(volume.array)
    assert values[0] == -1024
    assert values[1] > -1000

"""Slices at uneven distances: refused with their places, or on request interpolated to an even grid."""

import numpy as np
import pytest

from transforms.reading import read_ct

MISSING_TWO = [0.0, 2.0, 4.0, 10.0, 12.0, 14.0, 16.0]


def test_missing_slices_are_counted_and_placed(ramp_series, refusal):
    series = ramp_series(places=MISSING_TWO, origin=(0.0, 0.0, -30.0))
    message = refusal(series.write())
    assert "2 slice(s) seem to be missing" in message
    assert "6.00 mm (1x)" in message
    assert f"between -26.00 mm ({series.uid[-4:]}_002.dcm) and -20.00 mm ({series.uid[-4:]}_003.dcm)" in message
    assert "--allow uneven" in message


def test_half_of_the_slices_missing_is_still_seen_as_missing(ramp_series, refusal):
    assert "3 slice(s) seem to be missing" in refusal(ramp_series(places=[0, 2, 6, 10, 14]).write())


def test_every_gap_counts_however_thin_the_slices(ramp_series, refusal):
    places = np.delete(np.arange(20) * 0.15, 10)
    assert "1 slice(s) seem to be missing" in refusal(ramp_series(places=places).write())


@pytest.mark.parametrize("spacing", [0.625, 1.25, 3.0])
def test_positions_rounded_to_a_tenth_are_even(ramp_series, spacing):
    places = np.round(np.arange(30) * spacing, 1)
    volume = read_ct(ramp_series(places=places, origin=(0.0, 0.0, 0.0)).write())
    assert volume.affine[2, 2] == pytest.approx(spacing, abs=0.1 / 29)
    assert volume.resampled == ()


def test_a_missing_slice_is_interpolated_and_the_others_stay(ramp_series, follows_ramp):
    series = ramp_series(places=MISSING_TWO)
    volume = read_ct(series.write(), allow=["uneven"])
    assert volume.array.shape == (7, 6, 9)
    assert follows_ramp(volume).all()
    np.testing.assert_allclose(volume.array[..., [0, 1, 2, 5, 6, 7, 8]], series.hu, atol=0.01)
    assert volume.affine[2, 2] == pytest.approx(2.0)
    assert "7 slices became 9 planes 2 mm apart, 2 of them interpolated" in volume.repairs[0]
    assert volume.to_metatensor().meta["resampled"] == ["uneven"]
    assert len(volume.source_files) == 7


def test_two_distances_become_the_usual_one(ramp_series, follows_ramp):
    places = np.cumsum([0, 4, 4, 4, 4, 4, 1.1, 7, 7, 7])
    volume = read_ct(ramp_series(places=places).write(), allow=["uneven"])
    assert follows_ramp(volume).all()
    assert volume.array.shape[2] == round(42.1 / 4) + 1
    assert volume.affine[2, 2] == pytest.approx(42.1 / 11 if volume.array.shape[2] == 12 else 42.1 / 10, abs=0.5)
    np.testing.assert_allclose(volume.affine[2, 2] * (volume.array.shape[2] - 1), 42.1, atol=1e-4)


def test_slices_within_the_tolerance_are_taken_as_they_are(dicom_series):
    series = dicom_series(shape=(7, 6, 6))
    for index, dz in {1: 0.05, 3: -0.05, 5: 2.0}.items():
        x, y, z = map(float, series.slices[index].ImagePositionPatient)
        series.slices[index].ImagePositionPatient = [x, y, z + dz]
    volume = read_ct(series.write(), allow=["uneven"])
    assert volume.array.dtype == np.float32
    np.testing.assert_array_equal(volume.array[..., [0, 1, 2, 3, 4, 6]], series.hu)
    np.testing.assert_array_equal(volume.array[..., 5], series.hu[..., 4:].mean(axis=-1))


def test_wide_gaps_are_not_filled_with_guesses(ramp_series, refusal):
    message = refusal(ramp_series(places=[0, 2, 4, 14.5, 16.5], origin=(0, 0, 0)).write(), allow=["uneven"])
    assert "too far apart" in message
    assert "between 4.00 mm" in message
    assert "at most 10 mm" in message
    assert "--allow" not in message


def test_uneven_and_tilted_needs_both(ramp_series, follows_ramp, refusal):
    axes = np.array([[1, 0, 0], [0, 1, np.tan(np.radians(15))], [0, 0, 1]])
    folder = ramp_series(places=[0, 2, 4, 8, 10, 12], axes=axes, shape=(20, 16, 6)).write()
    assert "--allow uneven" in refusal(folder, allow=["tilt"])
    assert "--allow tilt" in refusal(folder, allow=["uneven"])
    volume = read_ct(folder, allow=["uneven", "tilt"])
    assert follows_ramp(volume)[volume.array != -1024].mean() > 0.98  # not at the rim, where one slice of two ends
    assert volume.resampled == ("tilt", "uneven")
    assert volume.array.shape[2] == 7


def test_an_even_straight_series_is_left_alone(dicom_series):
    series = dicom_series()
    volume = read_ct(series.write(), allow=["uneven", "tilt"])
    assert volume.array.dtype == np.int16
    assert "resampled" not in volume.meta()
    np.testing.assert_array_equal(volume.array, series.hu)

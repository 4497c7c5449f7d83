"""Enhanced CT: one object, several objects, several stacks and time points, frames in any order."""

import copy

import numpy as np
import pytest
from pydicom.uid import LegacyConvertedEnhancedCTImageStorage, generate_uid
from scipy.spatial.transform import Rotation

from transforms.reading import read_ct

OBLIQUE = Rotation.from_euler("xyz", [10, -20, 30], degrees=True).as_matrix()
ORDER = (2, 0, 4, 1, 3)


@pytest.fixture
def save(tmp_path):
    """A function that writes objects into a folder of their own."""

    def write(*objects):
        folder = tmp_path / "enhanced"
        folder.mkdir()
        for number, one in enumerate(objects):
            one.save_as(folder / f"{number}.dcm", enforce_file_format=True)
        return folder

    return write


def agrees(volume, series):
    np.testing.assert_array_equal(volume.array, series.hu)
    np.testing.assert_allclose(volume.affine, series.affine_ras, atol=1e-5)


def test_frames_out_of_order_with_a_rescale_each(dicom_series, multi_frame, save):
    series = dicom_series(axes=OBLIQUE, slopes=(1.0, 2.0), intercepts=(-1024.0, -1000.0, -2000.0))
    folder = save(multi_frame([series.slices[index] for index in ORDER]))
    volume = read_ct(folder)
    agrees(volume, series)
    assert volume.source_files == (str(folder / "0.dcm"),) * 5
    assert volume.source_frames == (2, 4, 1, 5, 3)
    assert volume.meta()["source_frames"] == [2, 4, 1, 5, 3]


def test_a_rescale_that_all_frames_share(dicom_series, multi_frame, save):
    series = dicom_series()
    whole = multi_frame(series.slices)
    shared = whole.PerFrameFunctionalGroupsSequence[0].PixelValueTransformationSequence
    for frame in whole.PerFrameFunctionalGroupsSequence:
        del frame.PixelValueTransformationSequence
    whole.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence = shared
    agrees(read_ct(save(whole)), series)


def test_what_a_frame_says_itself_counts(dicom_series, multi_frame, save):
    series = dicom_series()
    whole = multi_frame(series.slices)
    shared = copy.deepcopy(whole.PerFrameFunctionalGroupsSequence[0].PixelValueTransformationSequence)
    shared[0].RescaleSlope = 7
    whole.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence = shared
    agrees(read_ct(save(whole)), series)


def test_legacy_converted_objects(dicom_series, multi_frame, save):
    series = dicom_series()
    whole = multi_frame(series.slices, SOPClassUID=LegacyConvertedEnhancedCTImageStorage)
    whole.file_meta.MediaStorageSOPClassUID = LegacyConvertedEnhancedCTImageStorage
    agrees(read_ct(save(whole)), series)


def test_several_objects_make_one_stack(dicom_series, multi_frame, save):
    series = dicom_series()
    volume = read_ct(save(multi_frame(series.slices[3:]), multi_frame(series.slices[:3])))
    agrees(volume, series)
    assert volume.source_frames == (1, 2, 3, 1, 2)


@pytest.mark.parametrize(("keyword", "name"), [("StackID", "StackID"), ("TemporalPositionIndex", "TemporalPosition")])
def test_equal_stacks_in_one_object_are_refused_until_named(dicom_series, multi_frame, save, refusal, keyword, name):
    first, second = dicom_series(seed=0), dicom_series(seed=1)
    content = [{keyword: number} if name != "StackID" else {keyword: str(number)} for number in [1] * 5 + [2] * 5]
    folder = save(multi_frame([*first.slices, *second.slices], content))
    assert f"{first.uid}:{name}=2: 5 slices" in refusal(folder)
    for number, series in ((1, first), (2, second)):
        agrees(read_ct(folder, series_uid=f"{first.uid}:{name}={number}"), series)


def test_a_stack_in_another_plane_that_covers_less_is_passed_over(dicom_series, multi_frame, save):
    axial = dicom_series(shape=(6, 6, 9))
    coronal = dicom_series("cor", shape=(6, 6, 3), axes=[[1, 0, 0], [0, 0, 1], [0, -1, 0]], spacing=(0.7, 0.8, 2.0))
    content = [{"StackID": "1"}] * 9 + [{"StackID": "2"}] * 3
    volume = read_ct(save(multi_frame([*axial.slices, *coronal.slices], content)))
    agrees(volume, axial)
    assert "StackID=2: 3 slices" in volume.repairs[0]


def test_localizer_frames_are_passed_over(dicom_series, multi_frame, save):
    series = dicom_series()
    whole = multi_frame(series.slices)
    for index, frame in enumerate(whole.PerFrameFunctionalGroupsSequence):
        kind = type(frame)()
        kind.FrameType = ["ORIGINAL", "PRIMARY", "LOCALIZER" if index == 4 else "VOLUME", "NONE"]
        frame.CTImageFrameTypeSequence = [kind]
    volume = read_ct(save(whole))
    np.testing.assert_array_equal(volume.array, series.hu[..., :4])
    assert "1 localizers" in volume.repairs[0]


@pytest.mark.parametrize("described", [0, 4, 6])
def test_frames_that_the_header_does_not_describe_are_refused(dicom_series, multi_frame, save, refusal, described):
    series = dicom_series()
    whole = multi_frame(series.slices)
    frames = list(whole.PerFrameFunctionalGroupsSequence)
    whole.PerFrameFunctionalGroupsSequence = (frames + frames)[:described]
    message = refusal(save(whole))
    assert "UnreadableError" in message
    assert f"5 frames, {described} of them described" in message


def test_a_frame_without_a_place_is_refused(dicom_series, multi_frame, save, refusal):
    whole = multi_frame(dicom_series().slices)
    del whole.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence
    assert "ImagePositionPatient missing" in refusal(save(whole))


def test_one_frame_takes_its_thickness(dicom_series, multi_frame, save):
    series = dicom_series(shape=(7, 6, 1))
    agrees(read_ct(save(multi_frame(series.slices))), series)


def test_copies_of_an_object_are_dropped(dicom_series, multi_frame, save):
    series = dicom_series()
    whole = multi_frame(series.slices)
    again = multi_frame(series.slices, SOPInstanceUID=generate_uid())
    volume = read_ct(save(whole, again))
    agrees(volume, series)
    assert "5 exact copies" in volume.repairs[0]

"""Several stacks under one series UID: told apart for certain, or refused with their names."""

import copy
import warnings

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from transforms.reading import read_ct


@pytest.fixture
def two_stacks(dicom_series):
    """A function that writes two stacks under one UID; each gets its own elements, a tuple one for each slice."""

    def write(first, second, shapes=((7, 6, 5), (7, 6, 5)), steps=(2.0, 2.0), axes=(None, None)):
        stacks = [
            dicom_series("ct", shape=shapes[number], spacing=(0.7, 0.8, steps[number]), axes=axes[number], seed=number)
            for number in (0, 1)
        ]
        for stack, elements in zip(stacks, (first, second), strict=True):
            for k, dataset in enumerate(stack.slices):
                dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = stacks[0].uid, "1.2.3"
                dataset.StudyInstanceUID = "1.2"
                for keyword, value in elements.items():
                    setattr(dataset, keyword, value[k] if isinstance(value, tuple) else value)
            stack.write()
            stack.uid = stacks[0].uid
        return stacks

    return write


VALUES = {
    "AcquisitionNumber": (2, 10),
    "TemporalPositionIdentifier": (1, 2),
    "ImageType": (["ORIGINAL", "PRIMARY", "AXIAL"], ["ORIGINAL", "PRIMARY", "AXIAL", "ADD"]),
    "KVP": (80, 140),
}


@pytest.mark.parametrize("keyword", VALUES)
def test_equal_stacks_are_refused_and_each_can_be_named(two_stacks, refusal, keyword):
    first, second = VALUES[keyword]
    stacks = two_stacks({keyword: first}, {keyword: second})
    message = refusal(stacks[0].folder)
    assert "SeriesError" in message
    for stack, value in zip(stacks, (first, second), strict=True):
        text = "/".join(value) if isinstance(value, list) else value
        name = f"{stack.uid}:{keyword.removesuffix('Identifier')}={text}"
        assert f"{name}: 5 slices over 10 mm" in message
        volume = read_ct(stack.folder, series_uid=name)
        np.testing.assert_array_equal(volume.array, stack.hu)
        assert volume.series_uid == stack.uid
        assert f"this was taken: {name}" in volume.repairs[0]


def test_the_softer_kernel_is_a_certain_choice(two_stacks):
    for first, second, chosen in (("B30f", "B70f", 0), ("B70f", "B30f", 1)):
        stacks = two_stacks({"ConvolutionKernel": first}, {"ConvolutionKernel": second})
        np.testing.assert_array_equal(read_ct(stacks[0].folder).array, stacks[chosen].hu)


def test_thinner_slices_are_a_certain_choice(two_stacks):
    stacks = two_stacks({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}, ((7, 6, 5), (7, 6, 10)), (2.0, 1.0))
    np.testing.assert_array_equal(read_ct(stacks[0].folder).array, stacks[1].hu)


def test_a_stack_that_covers_only_a_part_is_passed_over(two_stacks):
    stacks = two_stacks({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}, ((7, 6, 9), (7, 6, 3)))
    volume = read_ct(stacks[0].folder, series_uid=stacks[0].uid)
    np.testing.assert_array_equal(volume.array, stacks[0].hu)
    assert "AcquisitionNumber=2: 3 slices" in volume.repairs[0]


def test_overlapping_parts_of_a_body_are_no_choice(dicom_series, refusal):
    series = dicom_series(shape=(7, 6, 8))
    for k, dataset in enumerate(series.slices):
        dataset.AcquisitionNumber = 1 if k < 5 else 2
    again = copy.deepcopy(series.slices[4])
    again.AcquisitionNumber, again.SOPInstanceUID = 2, generate_uid()
    again.PixelData = bytes(len(again.PixelData))
    series.slices.append(again)
    message = refusal(series.write())
    assert "AcquisitionNumber=1: 5 slices over 10 mm" in message
    assert "AcquisitionNumber=2: 4 slices over 8 mm" in message


def test_two_values_together_may_be_needed(two_stacks, refusal):
    stacks = two_stacks({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2})
    extra = [copy.deepcopy(dataset) for stack in stacks for dataset in stack.slices]
    for dataset in extra:
        dataset.ConvolutionKernel, dataset.SOPInstanceUID = "B70f", generate_uid()
        dataset.save_as(stacks[0].folder / f"{dataset.SOPInstanceUID}.dcm")
    message = refusal(stacks[0].folder)
    name = f"{stacks[0].uid}:AcquisitionNumber=2,ConvolutionKernel=B30f"
    assert name in message
    np.testing.assert_array_equal(read_ct(stacks[0].folder, series_uid=name).array, stacks[1].hu)


def test_the_fewest_parts_are_taken(two_stacks, refusal):
    stacks = two_stacks(  # KVP is tried after AcquisitionNumber
        {"KVP": 80, "AcquisitionNumber": (0, 0, 0, 1, 1)}, {"KVP": 140, "AcquisitionNumber": (2, 2, 2, 3, 3)}
    )
    message = refusal(stacks[0].folder)
    assert "KVP=80: 5 slices" in message
    assert "AcquisitionNumber" not in message


def test_copies_in_a_stack_are_dropped_there(two_stacks):
    stacks = two_stacks({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2})
    stacks[1].slices[3].save_as(stacks[1].folder / "again.dcm")
    volume = read_ct(stacks[0].folder, series_uid=f"{stacks[0].uid}:AcquisitionNumber=2")
    np.testing.assert_array_equal(volume.array, stacks[1].hu)
    assert "1 exact copies" in volume.repairs[1]


def test_single_slices_at_one_place_are_no_stacks(dicom_series, refusal):
    series = dicom_series(shape=(7, 6, 3))
    for k, dataset in enumerate(series.slices):
        dataset.AcquisitionNumber, dataset.ImagePositionPatient = k, series.slices[0].ImagePositionPatient
    assert "two different slices lie at one place" in refusal(series.write())


def interleaved(dicom_series, offset):
    """Two acquisitions of five slices each, 2 mm apart, the second `offset` further along."""
    first, second = dicom_series(), dicom_series(origin=(-10.0, 20.0, -30.0 + offset), seed=1)
    for number, series in enumerate((first, second)):
        for dataset in series.slices:
            dataset.AcquisitionNumber, dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = number, "1.2", "1.3"
            dataset.SeriesInstanceUID = first.uid
    first.write()
    second.folder, second.uid = first.folder, "second"
    second.write()
    return first, second


def test_acquisitions_between_each_other_are_told_apart(dicom_series, refusal):
    first, second = interleaved(dicom_series, 0.6)
    message = refusal(first.folder)
    assert f"{first.uid}:AcquisitionNumber=1: 5 slices over 10 mm" in message
    for number, series in enumerate((first, second)):
        volume = read_ct(first.folder, series_uid=f"{first.uid}:AcquisitionNumber={number}")
        np.testing.assert_array_equal(volume.array, series.hu)


def test_acquisitions_that_make_one_even_stack_do(dicom_series):
    first, second = interleaved(dicom_series, 1.0)
    volume = read_ct(first.folder)
    np.testing.assert_array_equal(volume.array[..., ::2], first.hu)
    np.testing.assert_array_equal(volume.array[..., 1::2], second.hu)


def test_blocks_of_other_spacing_behind_each_other_stay_one_series(ramp_series, refusal):
    series = ramp_series(places=[0, 2, 4, 6, 9, 12, 15])
    for k, dataset in enumerate(series.slices):
        dataset.AcquisitionNumber = int(k > 3)
    assert "not evenly spaced" in refusal(series.write())
    assert read_ct(series.folder, allow=["uneven"]).resampled == ("uneven",)


def test_copies_are_no_stack_of_their_own(dicom_series):
    series = dicom_series()
    series.slices += copy.deepcopy(series.slices)
    volume = read_ct(series.write())
    np.testing.assert_array_equal(volume.array, series.hu)
    assert volume.repairs == ("5 exact copies of slices were dropped.",)


def test_numbers_that_differ_without_need_split_nothing(dicom_series):
    series = dicom_series()
    for k, dataset in enumerate(series.slices):
        dataset.AcquisitionNumber, dataset.KVP = k // 2, 100 + k % 2
    np.testing.assert_array_equal(read_ct(series.write()).array, series.hu)


def test_a_view_of_another_plane_in_the_series_is_passed_over(two_stacks):
    stacks = two_stacks(
        {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"]},
        {"ImageType": ["DERIVED", "SECONDARY", "REFORMATTED"]},
        axes=(None, [[1, 0, 0], [0, 0, 1], [0, -1, 0]]),
    )
    volume = read_ct(stacks[0].folder)
    np.testing.assert_array_equal(volume.array, stacks[0].hu)
    assert "REFORMATTED" in volume.repairs[0]


def test_reformats_do_not_compete_however_much_they_cover(dicom_series):
    axial = dicom_series("ct", shape=(9, 8, 5), spacing=(0.7, 0.8, 2.0))
    sagittal = dicom_series("ct", shape=(8, 5, 40), axes=[[0, 0, -1], [1, 0, 0], [0, -1, 0]], seed=1)
    for dataset in sagittal.slices:
        dataset.ImageType = ["DERIVED", "SECONDARY", "MPR"]
    axial.write()
    assert read_ct(sagittal.write()).series_uid == axial.uid
    assert read_ct(sagittal.folder, series_uid=sagittal.uid).series_uid == sagittal.uid


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, when it writes
def test_a_telling_value_is_not_warned_of(dicom_series):
    series = dicom_series()
    series.folder.mkdir()
    with pydicom.config.disable_value_validation():
        for dataset in series.slices:
            dataset.SOPInstanceUID = "Telling Name"  # no UID: pydicom would print it
            dataset.save_as(series.folder / f"{dataset.InstanceNumber}.dcm")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_ct(series.folder).repairs == ()


def test_a_telling_value_reaches_no_message_as_it_is(two_stacks, refusal):
    stacks = two_stacks({"ConvolutionKernel": "B30f", "KVP": 80}, {"ConvolutionKernel": "B30\u00e4; rm", "KVP": 80})
    message = refusal(stacks[0].folder, series_uid="1.9")
    assert "ConvolutionKernel=B30" in message
    assert " rm" not in message

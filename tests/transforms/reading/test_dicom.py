"""DICOM series: voxels and place of what is sound."""

import copy
import logging

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import EnhancedCTImageStorage, ExplicitVRBigEndian, RLELossless, generate_uid
from scipy.spatial.transform import Rotation

from transforms.errors import SeriesError
from transforms.reading import LoadCTd, read_ct

OBLIQUE = Rotation.from_euler("xyz", [10, -20, 30], degrees=True).as_matrix()
CORONAL = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])


def agrees(volume, series):
    np.testing.assert_array_equal(volume.array, series.hu)
    np.testing.assert_allclose(volume.affine, series.affine_ras, atol=1e-4)


@pytest.mark.parametrize("axes", [None, OBLIQUE, CORONAL, np.diag([-1.0, -1.0, 1.0])], ids=str)
@pytest.mark.parametrize("signed", [True, False])
def test_voxels_and_affine_of_any_orientation(dicom_series, axes, signed):
    series = dicom_series(axes=axes, signed=signed, intercepts=(0.0,) if signed else (-1024.0,))
    agrees(read_ct(series.write()), series)


def test_agrees_with_itk_on_an_oblique_series(dicom_series):
    series = dicom_series(axes=OBLIQUE)
    volume = read_ct(series.write())
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(series.folder), series.uid)
    image = sitk.ReadImage(names)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image).T, volume.array)
    corner = image.TransformIndexToPhysicalPoint((6, 5, 4))
    np.testing.assert_allclose((volume.affine @ [6, 5, 4, 1])[:3], np.array(corner) * [-1, -1, 1], atol=1e-3)


def test_order_comes_from_positions_alone(dicom_series):
    series = dicom_series()
    for number, dataset in enumerate(series.slices):
        dataset.InstanceNumber = 100 - number  # runs the other way, as many scanners have it
    volume = read_ct(series.write(order=[3, 0, 4, 2, 1]))
    agrees(volume, series)
    assert [name[-7:] for name in volume.source_files] == ["001.dcm", "004.dcm", "003.dcm", "000.dcm", "002.dcm"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 5.0)] * 3),
    seed=st.integers(0, 1000),
)
def test_any_rotation_and_spacing_come_back(dicom_series, angles, spacing, seed):
    axes = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    rounded = tuple(round(size, 3) for size in spacing)
    series = dicom_series(f"case{generate_uid()[-20:]}", axes=axes, spacing=rounded, shape=(4, 3, 4), seed=seed)
    agrees(read_ct(series.write(order=np.random.default_rng(seed).permutation(4))), series)


def test_each_slice_has_its_own_rescale(dicom_series):
    series = dicom_series(slopes=(1.0, 2.0, 3.0), intercepts=(-1024.0, -1000.0))
    volume = read_ct(series.write())
    assert volume.array.dtype == np.int16
    agrees(volume, series)


def test_fractional_slopes_give_float32(dicom_series):
    series = dicom_series(slopes=(1.0, 0.5), intercepts=(-1024.0, -1000.25))
    volume = read_ct(series.write())
    assert volume.array.dtype == np.float32
    agrees(volume, series)


def test_values_beyond_int16_are_not_wrapped(dicom_series):
    series = dicom_series(slopes=(30.0,))
    series.hu[:] = np.rint((np.linspace(-1024, 60000, series.hu.size).reshape(series.hu.shape) + 1024) / 30) * 30 - 1024
    for k, dataset in enumerate(series.slices):
        dataset.PixelData = ((series.hu[..., k].T + 1024) / 30).astype("<u2").tobytes()
    volume = read_ct(series.write())
    assert volume.array.dtype == np.float32
    agrees(volume, series)


def test_unused_high_bits_do_not_reach_the_values(dicom_series):
    series = dicom_series()
    for dataset in series.slices:
        dataset.BitsStored, dataset.HighBit = 12, 11
        stored = np.frombuffer(dataset.PixelData, "<u2") | 0x8000  # an overlay plane of old scanners
        dataset.PixelData = stored.tobytes()
    agrees(read_ct(series.write()), series)


def test_extensions_and_preambles_are_not_needed(dicom_series):
    series = dicom_series()
    folder = series.write(suffix="")
    for file in folder.iterdir():
        content = file.read_bytes()
        meta_length = int.from_bytes(content[140:144], "little")
        file.write_bytes(content[144 + meta_length :])
    agrees(read_ct(folder), series)


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, RLELossless])
def test_other_transfer_syntaxes(dicom_series, syntax):
    series = dicom_series(slopes=(2.0,))
    for dataset in series.slices:
        if syntax == RLELossless:
            dataset.compress(RLELossless, generate_instance_uid=False)
        else:
            dataset.file_meta.TransferSyntaxUID = syntax
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
            dataset["PixelData"].VR = "OW"
    agrees(read_ct(series.write()), series)


def test_foreign_objects_are_passed_over_and_said(dicom_series, foreign_objects):
    series = dicom_series()
    foreign_objects(series.write(), series)
    volume = read_ct(series.folder)
    agrees(volume, series)
    (said,) = volume.repairs
    for what in ("1 localizers", "1 modality RTSTRUCT", "1 modality MR", "1 no CT slices", "1 not DICOM"):
        assert what in said


def test_copies_are_dropped_and_said(dicom_series):
    series = dicom_series()
    again = copy.deepcopy(series.slices[1])  # the same object twice, and the same slice under another UID
    renamed = copy.deepcopy(series.slices[2])
    renamed.SOPInstanceUID = generate_uid()
    series.slices += [again, renamed]
    volume = read_ct(series.write())
    agrees(volume, series)
    assert "2 exact copies" in volume.repairs[0]
    assert len(volume.source_files) == 5


def test_one_slice_takes_its_thickness_and_says_so(dicom_series):
    series = dicom_series(shape=(7, 6, 1))
    volume = read_ct(next(series.write().iterdir()))
    agrees(volume, series)
    assert "one slice only" in volume.repairs[0]


class TestSeveralSeries:
    def test_the_whole_series_comes_before_a_part(self, dicom_series):
        whole, part = dicom_series("a"), dicom_series("a", shape=(7, 6, 3), spacing=(0.7, 0.8, 1.0), seed=1)
        whole.write()
        volume = read_ct(part.write())
        assert volume.series_uid == whole.uid
        assert whole.uid in volume.repairs[0]
        assert part.uid in volume.repairs[0]

    def test_thin_slices_come_before_thick_ones(self, dicom_series):
        thick = dicom_series("a", shape=(7, 6, 5), spacing=(0.7, 0.8, 4.0))
        thin = dicom_series("a", shape=(7, 6, 20), spacing=(0.7, 0.8, 1.0), seed=1)
        thick.write()
        assert read_ct(thin.write()).series_uid == thin.uid

    @pytest.mark.parametrize(("soft", "sharp"), [("B30f", "B70f"), ("STANDARD", "LUNG")])
    def test_soft_kernels_come_before_sharp_ones(self, dicom_series, soft, sharp):
        for seed in (0, 2):  # whichever UID comes first
            first = dicom_series(f"a{seed}", kernel=sharp, seed=seed)
            second = dicom_series(f"a{seed}", kernel=soft, seed=seed + 1)
            first.write()
            assert read_ct(second.write()).series_uid == second.uid

    def test_a_uid_overrides_the_rule(self, dicom_series):
        whole, part = dicom_series("a"), dicom_series("a", shape=(7, 6, 3), seed=1)
        whole.write()
        folder = part.write()
        assert read_ct(folder, series_uid=part.uid).array.shape == (7, 6, 3)
        item = {"image": str(folder), "series_uid": part.uid}
        assert LoadCTd("image", series_uid=whole.uid)(item)["image"].shape == (1, 7, 6, 3)

    def test_an_unknown_uid_names_those_that_are_there(self, dicom_series):
        series = dicom_series()
        with pytest.raises(SeriesError, match=r"no CT series 1\.2\.3") as caught:
            read_ct(series.write(), series_uid="1.2.3")
        assert series.uid in str(caught.value)
        assert "--series-uid" in str(caught.value)


def test_slices_in_folders_below_are_found(dicom_series):
    series = dicom_series("study/series")
    folder = series.write()
    agrees(read_ct(folder.parent), series)


def test_multi_frame_ct(dicom_series, tmp_path):
    series = dicom_series(axes=OBLIQUE, slopes=(1.0, 2.0))
    whole = copy.deepcopy(series.slices[0])
    whole.SOPClassUID, whole.NumberOfFrames = EnhancedCTImageStorage, 5
    frames = [_frame_groups(series.slices[index]) for index in (2, 0, 1, 4, 3)]
    whole.PixelData = b"".join(series.slices[index].PixelData for index in (2, 0, 1, 4, 3))
    shared = _dataset(PixelMeasuresSequence=[_dataset(PixelSpacing=whole.PixelSpacing, SliceThickness=2.0)])
    whole.SharedFunctionalGroupsSequence, whole.PerFrameFunctionalGroupsSequence = [shared], frames
    for keyword in (
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "RescaleSlope",
        "RescaleIntercept",
    ):
        delattr(whole, keyword)
    whole.save_as(tmp_path / "enhanced.dcm", enforce_file_format=True)
    agrees(read_ct(tmp_path / "enhanced.dcm"), series)


def _frame_groups(one):
    return _dataset(
        PlanePositionSequence=[_dataset(ImagePositionPatient=one.ImagePositionPatient)],
        PlaneOrientationSequence=[_dataset(ImageOrientationPatient=one.ImageOrientationPatient)],
        PixelValueTransformationSequence=[
            _dataset(RescaleSlope=one.RescaleSlope, RescaleIntercept=one.RescaleIntercept, RescaleType="HU")
        ],
    )


def _dataset(**elements):
    from pydicom.dataset import Dataset

    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def test_transform_gives_the_meta_that_others_build_on(dicom_series):
    series = dicom_series()
    volume = LoadCTd("image")({"image": series.write()})["image"]
    assert volume.dtype == torch.float32
    assert volume.shape == (1, 7, 6, 5)
    assert volume.affine.dtype == torch.float64
    meta = volume.meta
    np.testing.assert_allclose(meta["original_affine"], series.affine_ras, atol=1e-4)
    assert meta["original_affine"].dtype == np.float64
    assert list(meta["spatial_shape"]) == [7, 6, 5]
    assert (meta["format"], str(meta["space"]), meta["filename_or_obj"]) == ("dicom", "RAS", str(series.folder))
    assert (meta["series_uid"], meta["study_uid"]) == (series.uid, "1.2.826.0.1.1")
    assert meta["frame_of_reference_uid"] == "1.2.826.0.1.1.9"
    assert len(meta["source_files"]) == 5
    assert meta["repairs"] == []
    assert np.isnan(meta["original_channel_dim"])


def test_no_dtype_is_int16_without_a_float_copy(dicom_series):
    assert LoadCTd("image", dtype=None)({"image": dicom_series().write()})["image"].dtype == torch.int16


def test_the_choice_is_logged_without_the_patient(dicom_series, foreign_objects, caplog):
    series = dicom_series()
    foreign_objects(series.write(), series)
    with caplog.at_level(logging.DEBUG):
        read_ct(series.folder)
    assert "passed over" in caplog.text
    assert "TELLING" not in caplog.text
    assert "SECRET" not in caplog.text

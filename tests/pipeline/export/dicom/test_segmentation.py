import logging

import numpy as np
import pydicom
import pytest
from highdicom.seg import segread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from pipeline.export.dicom import SegOptions, plan_seg, seg_pixels, segmentation, write_seg
from pipeline.export.drawing import LUNG_OUTLINE, colour_of
from tests.pipeline.export.dicom.conftest import (
    ATTITUDES,
    BUNDLE,
    CLASSES,
    OBLIQUE,
    SPACING_MM,
    sorted_places,
    world,
)
from transforms.errors import MissingExtraError, OutputError, SettingError

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


@pytest.fixture
def written(ct, tmp_path):
    """A function that writes a SEG of a series; returns the series, the plan and the file."""

    def write(*args, options=None, label_map=None, with_lungs=True, classes=CLASSES, **more):
        series = ct(*args, **more)
        plan = plan_seg(classes, with_lungs=with_lungs, options=options)
        path = tmp_path / "labels.seg.dcm"
        labels = series.label_map if label_map is None else label_map
        write_seg(path, labels, series.source, plan, bundle=BUNDLE, lungs=series.lungs if with_lungs else None)
        return series, plan, path

    return write


def places_of(seg, number):
    """Where the voxels of a segment lie, after DICOM alone."""
    frames = zip(seg.PerFrameFunctionalGroupsSequence, np.atleast_3d(seg.pixel_array), strict=True)
    return np.concatenate(
        [
            world(seg, group.PlanePositionSequence[0].ImagePositionPatient, plane)
            for group, plane in frames
            if group.SegmentIdentificationSequence[0].ReferencedSegmentNumber == number
        ]
    )


def expected_places(series, mask):
    affine = series.volume.affine
    ras = np.argwhere(mask) @ affine[:3, :3].T + affine[:3, 3]
    return ras @ LPS_TO_RAS


@pytest.mark.parametrize("form", ["files", "zip", "enhanced"])
@pytest.mark.parametrize("attitude", ATTITUDES)
def test_every_voxel_lies_where_it_was_found(written, attitude, form):
    series, plan, path = written(attitude, form)
    seg = pydicom.dcmread(path)
    for segment in plan.segments:
        mask = (series.label_map if segment.mask == "label_map" else series.lungs) == segment.value
        assert mask.any()
        found, expected = places_of(seg, segment.number), expected_places(series, mask)
        np.testing.assert_allclose(sorted_places(found), sorted_places(expected), atol=2e-4)


@pytest.mark.parametrize("form", ["files", "enhanced"])
def test_each_frame_lies_on_the_slice_that_it_was_made_from(written, form):
    series, _, path = written("oblique", form)
    sources = {dataset.SOPInstanceUID: dataset for dataset in series.datasets}
    seg = pydicom.dcmread(path)
    for group in seg.PerFrameFunctionalGroupsSequence:
        image = group.DerivationImageSequence[0].SourceImageSequence[0]
        source = sources[image.ReferencedSOPInstanceUID]
        assert image.ReferencedSOPClassUID == source.SOPClassUID
        if form == "enhanced":
            frame = source.PerFrameFunctionalGroupsSequence[int(image.ReferencedFrameNumber) - 1]
            source = frame.PlanePositionSequence[0]
        else:
            assert "ReferencedFrameNumber" not in image
        np.testing.assert_allclose(
            np.asarray(group.PlanePositionSequence[0].ImagePositionPatient, float),
            np.asarray(source.ImagePositionPatient, float),
            atol=1e-9,
        )


@pytest.mark.parametrize("options", [{"encoding": "uncompressed"}, {"encoding": "jpeg2000"}, {"encoding": "deflated"}])
@pytest.mark.parametrize("type", ["binary", "labelmap"])
@pytest.mark.parametrize("shape", [(9, 7, 6), (40, 33, 5), (5, 5, 1)])
def test_highdicom_reads_the_label_map_back(written, shape, type, options):
    options = SegOptions(type=type, **options)
    series, _, path = written(shape=shape, options=options, with_lungs=type == "binary", label_map=None)
    by_place = sorted(range(shape[2]), key=lambda index: series.source.slices[index].position[2])
    pixels = segread(path).get_pixels_by_source_instance(
        [series.source.slices[index].sop_uid for index in by_place],
        segment_numbers=[1, 2, 3],
        combine_segments=True,
        assert_missing_frames_are_empty=True,
    )
    np.testing.assert_array_equal(pixels, series.label_map[:, :, by_place].transpose(2, 1, 0))


def test_segments_say_what_they_are(written):
    _, plan, path = written()
    seg = segread(path)
    assert seg.SeriesInstanceUID == plan.series_uid
    assert seg.SOPInstanceUID == plan.sop_uid
    described = {}
    for number in seg.segment_numbers:
        segment = seg.get_segment_description(number)
        kind = segment.segmented_property_type
        modifiers = kind.get("SegmentedPropertyTypeModifierCodeSequence", [])
        described[segment.segment_label] = (
            segment.segmented_property_category.value,
            (kind.value, kind.scheme_designator),
            [region.value for region in segment.anatomic_regions],
            [modifier.CodeValue for modifier in modifiers],
        )
    assert described == {
        "ground_glass": ("49755003", ("1217294009", "SCT"), ["39607008"], []),
        "consolidation": ("49755003", ("95436008", "SCT"), ["39607008"], []),
        "pleural_effusion": ("49755003", ("60046008", "SCT"), ["3120008"], []),
        "left lung": ("91723000", ("39607008", "SCT"), [], ["7771000"]),
        "right lung": ("91723000", ("39607008", "SCT"), [], ["24028007"]),
    }
    tracked = [seg.get_segment_description(number).tracking_uid for number in seg.segment_numbers]
    assert tracked == [segment.tracking_uid for segment in plan.segments]
    assert len(set(tracked)) == 5


def test_the_bundle_is_named_as_the_algorithm_of_its_classes(written):
    _, _, path = written()
    seg = segread(path)
    lesion, lung = (seg.get_segment_description(number) for number in (1, 4))
    (algorithm,) = lesion.algorithm_identification
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == (BUNDLE.name, BUNDLE.version)
    assert algorithm.AlgorithmParameters == "weights=abababababababab"
    assert lesion.algorithm_type.value == lung.algorithm_type.value == "AUTOMATIC"
    assert lung.algorithm_identification[0].AlgorithmName == "ctvol lung masks"


def test_colours_are_those_of_the_preview(written):
    from highdicom.color import CIELabColor

    _, _, path = written()
    for segment in pydicom.dcmread(path).SegmentSequence:
        number = int(segment.SegmentNumber)
        shown = CIELabColor.from_dicom_value(list(segment.RecommendedDisplayCIELabValue)).to_rgb()
        assert np.abs(np.subtract(shown, colour_of(number) if number <= 3 else LUNG_OUTLINE)).max() <= 1


def test_the_study_the_series_and_the_frame_of_reference_are_the_source_s(written):
    series, _, path = written("oblique")
    seg, source = pydicom.dcmread(path), series.datasets[0]
    assert seg.StudyInstanceUID == source.StudyInstanceUID
    assert seg.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert seg.SeriesInstanceUID != source.SeriesInstanceUID
    (referenced,) = seg.ReferencedSeriesSequence
    assert referenced.SeriesInstanceUID == source.SeriesInstanceUID
    named = {item.ReferencedSOPInstanceUID for item in referenced.ReferencedInstanceSequence}
    assert named == {dataset.SOPInstanceUID for dataset in series.datasets}
    assert (seg.Modality, seg.SeriesNumber) == ("SEG", 401)
    (measures,) = seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    assert [float(number) for number in measures.PixelSpacing] == [SPACING_MM[1], SPACING_MM[0]]
    assert float(measures.SpacingBetweenSlices) == pytest.approx(SPACING_MM[2])
    (orientation,) = seg.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    np.testing.assert_allclose(
        np.asarray(orientation.ImageOrientationPatient, float), OBLIQUE[:, :2].T.ravel(), atol=1e-6
    )


def test_slices_without_a_segment_have_no_frame(written):
    series, plan, path = written()
    expected = sum(
        int(np.count_nonzero((mask == segment.value).any(axis=(0, 1))))
        for name, mask in (("label_map", series.label_map), ("lungs", series.lungs))
        for segment in plan.segments
        if segment.mask == name
    )
    assert pydicom.dcmread(path).NumberOfFrames == expected < 5 * series.label_map.shape[2]


@pytest.mark.parametrize("type", ["binary", "labelmap"])
@pytest.mark.parametrize("encoding", ["uncompressed", "jpeg2000"])
def test_a_map_without_any_lesion_is_a_seg_with_a_frame_a_segment(written, type, encoding, caplog):
    shape = (33, 40, 6)
    options = SegOptions(type=type, encoding=encoding)
    series, plan, path = written(shape=shape, options=options, label_map=np.zeros(shape, np.uint8), with_lungs=False)
    seg = segread(path)
    assert seg.NumberOfFrames == (len(plan.segments) if type == "binary" else 1)
    assert seg.segment_numbers == [1, 2, 3]
    pixels = seg.get_pixels_by_source_instance(
        [one.sop_uid for one in series.source.slices], assert_missing_frames_are_empty=True
    )
    assert pixels.shape == (6, 40, 33, 3)
    assert not pixels.any()
    assert not caplog.records


def test_one_class_is_enough(written):
    series, _, path = written(classes={"background": 0, "lesion": 1}, with_lungs=False)
    seg = segread(path)
    assert seg.get_segment_description(1).segmented_property_type.value == "52988006"
    found = seg.get_pixels_by_source_instance(
        [one.sop_uid for one in series.source.slices], assert_missing_frames_are_empty=True
    )
    np.testing.assert_array_equal(found[..., 0], (series.label_map == 1).transpose(2, 1, 0))


def test_values_of_a_binary_seg_may_have_gaps(written):
    series, plan, path = written(classes={"background": 0, "late": 3, "early": 1}, with_lungs=False)
    assert [(segment.number, segment.name, segment.value) for segment in plan.segments] == [
        (1, "early", 1),
        (2, "late", 3),
    ]
    found, expected = places_of(pydicom.dcmread(path), 2), expected_places(series, series.label_map == 3)
    np.testing.assert_allclose(sorted_places(found), sorted_places(expected), atol=2e-4)


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_order_of_the_memory_does_not_matter(written, order, ct):
    series, _, path = written(shape=(9, 7, 40))
    first = pydicom.dcmread(path).PixelData
    plan = plan_seg(CLASSES, with_lungs=True)
    label_map, lungs = (np.asarray(mask, order=order) for mask in (series.label_map, series.lungs))
    write_seg(path, label_map, series.source, plan, bundle=BUNDLE, lungs=lungs)
    assert pydicom.dcmread(path).PixelData == first


def test_small_ones_stay_uncompressed_and_large_ones_are_deflated(written, monkeypatch):
    _, _, path = written()
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    path.parent.joinpath("ct").rename(path.parent / "small")
    monkeypatch.setattr(seg_pixels, "SMALL_BYTES", 100)
    _, _, path = written(shape=(33, 40, 6))
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian


def test_without_an_encoder_jpeg_2000_names_the_extra(written, monkeypatch):
    class Missing:
        is_available = False

    monkeypatch.setattr(seg_pixels, "get_encoder", lambda syntax: Missing)
    with pytest.raises(MissingExtraError, match=r"pip install ctvol\[codecs\]"):
        written(shape=(33, 40, 6), options=SegOptions(encoding="jpeg2000"))


def test_deflated_is_so_in_the_file(written):
    _, _, path = written(options=SegOptions(encoding="deflated"))
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian


def test_what_reads_back_otherwise_never_gets_its_name(written, monkeypatch, tmp_path):
    monkeypatch.setattr(segmentation, "encode", lambda frames, *rest: bytes(len(seg_pixels.encode(frames, *rest))))
    with pytest.raises(OutputError, match="does not read back as it was written"):
        written()
    assert {path.name for path in tmp_path.iterdir()} == {"ct"}


def test_a_mask_of_another_shape_is_refused(ct, tmp_path):
    series = ct()
    plan = plan_seg(CLASSES, with_lungs=False)
    with pytest.raises(ValueError, match="the source's shape"):
        write_seg(tmp_path / "a.dcm", series.label_map[:, ::-1].transpose(1, 0, 2), series.source, plan, bundle=BUNDLE)


@pytest.mark.parametrize("setting", [{"type": "fractional"}, {"encoding": "zip"}])
def test_unknown_settings_are_refused(setting):
    with pytest.raises(SettingError, match=r"seg_(type|encoding): unknown setting"):
        SegOptions(**setting)


def test_each_run_has_its_own_identifiers():
    first, second = (plan_seg(CLASSES, with_lungs=True) for _ in range(2))
    uids = [uid for plan in (first, second) for uid in (plan.series_uid, plan.sop_uid)]
    uids += [segment.tracking_uid for plan in (first, second) for segment in plan.segments]
    assert len(set(uids)) == 14


def test_nothing_is_warned_of(written, caplog):
    caplog.set_level(logging.WARNING)
    written()
    assert not caplog.records

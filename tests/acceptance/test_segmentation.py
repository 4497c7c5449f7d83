"""A SEG that went through a real archive is read by other software with every label on the right voxel of the source.

Expectations go by the UID of the source's slices, so that neither our reader nor our writer has a part in them.
"""

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from highdicom.seg import segread
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless

pytestmark = pytest.mark.service

VIEWS = ["axial", "oblique", "reversed", "sagittal"]
LESIONS, LUNGS = [1, 2, 3], [4, 5]


@pytest.fixture
def fetched(archive, series_of, results_of, tmp_path):
    """A function that sends a series and its SEG to the archive; returns the truth and what came back."""

    def fetch(view, **options):
        series = series_of(view)
        results = results_of(series.folder, series.masks, **options)
        archive.store([*series.files, results.seg])
        (seg,) = archive.fetch_series(results.seg, tmp_path / "seg").iterdir()
        return series.masks, seg, archive.fetch_series(series.files[0], tmp_path / "source")

    return fetch


def stacked(planes, uids):
    return np.stack([planes[uid] for uid in uids])


def segment_numbers(seg, uids, numbers):
    """What highdicom reads on slices of the source; 0 where none of the segments is."""
    return seg.get_pixels_by_source_instance(
        uids, segment_numbers=numbers, combine_segments=True, assert_missing_frames_are_empty=True
    )


@pytest.mark.parametrize("view", VIEWS)
def test_highdicom_reads_lesions_and_lungs_on_the_source_s_slices(view, fetched):
    truth, path, _ = fetched(view)
    seg, uids = segread(path), list(truth.labels)
    labels, lungs = stacked(truth.labels, uids), stacked(truth.lungs, uids)
    assert set(np.unique(labels)) == {0, *LESIONS}
    np.testing.assert_array_equal(segment_numbers(seg, uids, LESIONS), labels)
    np.testing.assert_array_equal(segment_numbers(seg, uids, LUNGS), np.array([0, *LUNGS])[lungs])


@pytest.mark.parametrize("type", ["binary", "labelmap"])
@pytest.mark.parametrize(
    ("encoding", "syntax"), [("jpeg2000", JPEG2000Lossless), ("deflated", DeflatedExplicitVRLittleEndian)]
)
def test_highdicom_reads_every_encoding(type, encoding, syntax, fetched):
    truth, path, _ = fetched("oblique", type=type, encoding=encoding)
    seg, uids = segread(path), list(truth.labels)
    assert seg.file_meta.TransferSyntaxUID == syntax
    np.testing.assert_array_equal(segment_numbers(seg, uids, LESIONS), stacked(truth.labels, uids))


@pytest.mark.parametrize("view", VIEWS)
def test_highdicom_reads_a_label_map_as_it_was(view, fetched):
    truth, path, _ = fetched(view, type="labelmap")
    seg, uids = segread(path), list(truth.labels)
    assert seg.segmentation_type.value == "LABELMAP"
    np.testing.assert_array_equal(segment_numbers(seg, uids, LESIONS), stacked(truth.labels, uids))


@pytest.mark.parametrize("view", VIEWS)
def test_each_frame_lies_where_the_slice_lies_that_it_refers_to(view, fetched):
    _, path, folder = fetched(view)
    source = {header.SOPInstanceUID: header for header in map(pydicom.dcmread, folder.iterdir())}
    seg = pydicom.dcmread(path)
    (shared,) = seg.SharedFunctionalGroupsSequence
    assert len(seg.PerFrameFunctionalGroupsSequence) == seg.NumberOfFrames > 20
    for frame in seg.PerFrameFunctionalGroupsSequence:
        one = source[frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID]
        assert frame.PlanePositionSequence[0].ImagePositionPatient == one.ImagePositionPatient
        assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == one.ImageOrientationPatient
        assert shared.PixelMeasuresSequence[0].PixelSpacing == one.PixelSpacing


@pytest.fixture
def dcmqi(run_program, tmp_path):
    """A function that lets dcmqi read a SEG and gives its images by number, on the voxels of the source."""

    def read(path, source):
        out = tmp_path / "dcmqi"
        out.mkdir()
        done = run_program("segimage2itkimage", "--inputDICOM", path, "--outputDirectory", out)
        assert done.returncode == 0, done.stdout + done.stderr
        images = {int(image.stem): sitk.ReadImage(str(image)) for image in out.glob("*.nrrd")}
        on_source = (source, sitk.Transform(), sitk.sitkNearestNeighbor, 0.0)
        return {number: sitk.GetArrayFromImage(sitk.Resample(image, *on_source)) for number, image in images.items()}

    return read


def read_with_simpleitk(folder):
    """The source as an image, and the UIDs of its slices in the image's order."""
    (series,) = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series)
    uids = [pydicom.dcmread(file, specific_tags=["SOPInstanceUID"]).SOPInstanceUID for file in files]
    return sitk.ReadImage(files), uids


@pytest.mark.parametrize("view", VIEWS)
def test_dcmqi_s_segments_lie_on_the_voxels_of_the_source(view, fetched, dcmqi):
    truth, path, folder = fetched(view)
    source, uids = read_with_simpleitk(folder)
    labels, lungs = stacked(truth.labels, uids), stacked(truth.lungs, uids)
    segments = dcmqi(path, source)
    assert sorted(segments) == [*LESIONS, *LUNGS]
    for number in LESIONS:
        np.testing.assert_array_equal(segments[number] > 0, labels == number)
    for number, side in zip(LUNGS, (1, 2), strict=True):
        np.testing.assert_array_equal(segments[number] > 0, lungs == side)


@pytest.mark.parametrize("view", VIEWS)
def test_dcmqi_reads_a_label_map_as_it_was(view, fetched, dcmqi):
    truth, path, folder = fetched(view, type="labelmap")
    source, uids = read_with_simpleitk(folder)
    (label_map,) = dcmqi(path, source).values()
    np.testing.assert_array_equal(label_map, stacked(truth.labels, uids))

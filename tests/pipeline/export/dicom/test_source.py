import numpy as np
import pydicom
import pytest

from pipeline.export.dicom import read_source
from pipeline.export.dicom.case_source import case_source
from tests.pipeline.export.dicom.conftest import SPACING_MM
from transforms.errors import GeometryError, UnreadableError


def source_of(series, *, meta=(), affine=None, shape=None):
    volume = series.volume
    changed = volume.meta() | dict(meta)
    return read_source(changed, volume.affine if affine is None else affine, shape or volume.array.shape)


@pytest.mark.parametrize("form", ["files", "zip", "enhanced"])
@pytest.mark.parametrize("attitude", ["axial", "reversed", "oblique"])
def test_slices_are_in_volume_order(ct, attitude, form):
    series = ct(attitude, form)
    source = series.source
    ras = series.volume.affine @ np.array([[0, 0, index, 1] for index in range(6)]).T
    np.testing.assert_allclose([one.position for one in source.slices], (np.diag([-1, -1, 1]) @ ras[:3]).T, atol=1e-4)
    assert (source.rows, source.columns) == (7, 9)
    assert source.spacing_mm == pytest.approx(SPACING_MM[2])
    assert source.pixel_spacing_mm == (SPACING_MM[1], SPACING_MM[0])
    assert len({(one.sop_uid, one.frame) for one in source.slices}) == 6
    assert {one.frame for one in source.slices} == ({1, 2, 3, 4, 5, 6} if form == "enhanced" else {None})


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (np.diag([1, 1, 1.1, 1.0]), "away from its source"),  # resampled along the stack
        (np.array([[1.0, 0, 0.2, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "away from its source"),  # sheared
        (np.diag([1.1, 1, 1, 1.0]), "away from its source"),
        (np.diag([-1.0, 1, 1, 1]), "away from its source"),
    ],
)
@pytest.mark.parametrize("form", ["files", "enhanced"])
def test_a_volume_on_another_grid_is_refused(ct, form, change, found):
    series = ct(form=form)
    with pytest.raises(GeometryError, match="not those of the source"):
        source_of(series, affine=series.volume.affine @ change)


def test_another_number_of_slices_is_refused(ct):
    with pytest.raises(GeometryError, match="6 files for 7 slices"):
        source_of(ct(), shape=(9, 7, 7))


def test_another_size_of_slices_is_refused(ct):
    with pytest.raises(GeometryError, match="slices of 9 x 7 voxels for 7 x 9"):
        source_of(ct(), shape=(7, 9, 6))


def test_files_in_another_order_are_refused(ct):
    series = ct()
    with pytest.raises(GeometryError, match=r"slice 0 12\.50 mm away from its source"):
        source_of(series, meta={"source_files": series.volume.source_files[::-1]})


@pytest.mark.parametrize("frames", [None, [1, 2, 3, 4, 5, 7]])
def test_frames_that_are_not_there_are_refused(ct, frames):
    with pytest.raises(GeometryError, match="of a file of 6"):
        source_of(ct(form="enhanced"), meta={"source_frames": frames})


def test_frames_in_another_order_are_refused(ct):
    series = ct(form="enhanced")
    frames = list(reversed(series.volume.meta()["source_frames"]))
    with pytest.raises(GeometryError, match="away from its source"):
        source_of(series, meta={"source_frames": frames})


def test_what_the_reader_lets_through_is_not_refused(ct):
    series = ct()
    affine = series.volume.affine.copy()
    affine[:3, 3] += [0.05, 0.05, 0.05]
    assert len(source_of(series, affine=affine).slices) == 6


@pytest.mark.parametrize("keyword", ["FrameOfReferenceUID", "StudyInstanceUID"])
def test_a_source_without_an_identifier_is_refused(ct, keyword):
    series = ct()
    for file in series.path.iterdir():
        dataset = pydicom.dcmread(file)
        delattr(dataset, keyword)
        dataset.save_as(file)
    with pytest.raises(UnreadableError, match=f"the source has no {keyword}"):
        _ = series.source


def test_a_file_that_is_gone_is_a_finding(ct):
    series = ct()
    next(series.path.iterdir()).unlink()
    why = case_source(series.volume.meta(), series.volume.affine, series.volume.array.shape)
    assert why == "There is no DICOM SEG and no DICOM SR: the source file cannot be read again."


def test_other_formats_have_no_source_and_nothing_to_say():
    assert case_source({"format": "nifti"}, np.eye(4), (1, 1, 1)) == ""

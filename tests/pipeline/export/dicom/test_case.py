"""SEG and SR among the files of a case."""

import json

import numpy as np
import pydicom
import pytest
import torch
from highdicom.seg import segread
from monai.data import MetaTensor

from pipeline.export import SegOptions, write_case
from tests.pipeline.export.dicom.conftest import BUNDLE, CLASSES

SEG, SR = "labels.seg.dcm", "measurements.sr.dcm"


@pytest.fixture
def write(ct, tmp_path):
    """A function that writes a case of a series; `bend` changes its data before."""

    def run(bend=lambda data: data, series=None, **more):
        series = series or ct()
        native = series.volume.to_metatensor()
        affine = torch.from_numpy(series.volume.affine)
        masks = {"pred": series.label_map, "lungs": series.lungs}
        data = {"case": "a", "native": native} | {
            key: MetaTensor(torch.from_numpy(mask.copy())[None], affine=affine) for key, mask in masks.items()
        }
        folder = tmp_path / "a"
        result = write_case(folder, bend(data), classes=CLASSES, bundle=BUNDLE, stages={}, **more)
        findings = json.loads((folder / "provenance.json").read_text())["findings"]
        return folder, result, findings, series

    return run


def test_a_dicom_case_has_both_and_they_belong_together(write):
    folder, result, findings, series = write()
    assert {SEG, SR} <= set(result.files)
    assert findings == []
    seg, sr = segread(folder / SEG), pydicom.dcmread(folder / SR)
    found = seg.get_pixels_by_source_instance(
        [one.sop_uid for one in series.source.slices],
        segment_numbers=[1, 2, 3],
        combine_segments=True,
        assert_missing_frames_are_empty=True,
    )
    np.testing.assert_array_equal(found, series.label_map.transpose(2, 1, 0))
    assert len(seg.segment_numbers) == 5
    assert str(seg.SOPInstanceUID) in str(sr.ContentSequence)
    assert seg.get_segment_description(1).algorithm_identification[0].AlgorithmName == BUNDLE.name


def test_an_sr_alone_refers_to_no_seg(write):
    folder, result, _, _ = write(write=["sr"])
    assert result.files == (SR, "provenance.json")
    (study,) = pydicom.dcmread(folder / SR).CurrentRequestedProcedureEvidenceSequence
    assert len(study.ReferencedSeriesSequence) == 1


def test_a_second_run_has_new_identifiers(write):
    folder, _, _, series = write(write=["seg"])
    first = pydicom.dcmread(folder / SEG).SOPInstanceUID
    write(series=series, write=["seg"])
    assert pydicom.dcmread(folder / SEG).SOPInstanceUID != first


def test_options_reach_the_seg(write):
    folder, *_ = write(write=["seg"], seg=SegOptions(type="labelmap"))
    assert pydicom.dcmread(folder / SEG).SegmentationType == "LABELMAP"


def test_another_format_has_neither_and_nothing_is_said(write):
    def as_nifti(data):
        data["native"].meta["format"] = "nifti"
        return data

    _, result, findings, _ = write(as_nifti)
    assert not {SEG, SR} & set(result.files)
    assert findings == []


def test_a_resampled_volume_has_neither_and_the_finding_says_why(write):
    folder, _, _, series = write()

    def as_resampled(data):
        for key in data:
            if key != "case":
                data[key].affine = data[key].affine @ torch.diag(torch.tensor([1.0, 1, 1.1, 1], dtype=torch.float64))
        return data

    _, result, findings, _ = write(as_resampled, series=series)
    assert not {SEG, SR} & set(result.files)
    assert not (folder / SEG).exists()
    assert not (folder / SR).exists()
    (finding,) = findings
    assert finding.startswith("There is no DICOM SEG and no DICOM SR: the volume's slices are not those of the source")


def test_no_name_of_the_patient_is_in_what_is_not_dicom(write):
    folder, *_ = write()
    for file in folder.iterdir():
        if file.suffix != ".dcm":
            assert b"TELLING" not in file.read_bytes()
            assert b"SECRET" not in file.read_bytes()

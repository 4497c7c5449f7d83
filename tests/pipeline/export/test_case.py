import json

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from pipeline.export import case as case_module
from pipeline.export import kinds as kinds_module
from pipeline.export.case import write_case
from pipeline.export.kinds import DEFAULT_KINDS, RESULT_KINDS, ResultKind, check_kinds
from pipeline.export.provenance import BundleIdentity
from pipeline.export.table import CaseTable
from transforms.errors import GeometryError, OutputError, SettingError

CLASSES = {"background": 0, "ground_glass": 1, "consolidation": 2, "pleural effusion": 3}
BUNDLE = BundleIdentity(name="ct_lesion_segmentation", version="0.1.0")
SHAPE = (10, 12, 14)
AFFINE = np.array([[-2.0, 0, 0, 10], [0, -2, 0, 20], [0, 0, 2.5, -300], [0, 0, 0, 1]])


def volume(array, affine=AFFINE, **meta):
    return MetaTensor(torch.from_numpy(array)[None], affine=torch.from_numpy(np.asarray(affine)), meta=meta)


@pytest.fixture
def data():
    label_map = np.zeros(SHAPE, np.uint8)
    label_map[2:4, 2:4, 2:4] = 1
    lungs = np.zeros(SHAPE, np.uint8)
    lungs[:5], lungs[5:] = 2, 1
    native = volume(np.full(SHAPE, -700, np.int16), filename_or_obj="in/a.nii.gz", format="nifti", findings=["one"])
    return {
        "case": "a",
        "native": native,
        "pred": volume(label_map, findings=["one", "two"]),
        "lungs": volume(lungs),
    }


def write(folder, data, **more):
    return write_case(folder, data, **{"classes": CLASSES, "bundle": BUNDLE, "stages": {"load": 1.5}, **more})


def test_all_files_of_a_case(tmp_path, data):
    result = write(tmp_path / "a", data)
    names = {"labels.nii.gz", "lungs.nii.gz", "measurements.json", "preview.png", "report.html", "provenance.json"}
    assert {path.name for path in (tmp_path / "a").iterdir()} == set(result.files) == names
    labels, lungs = (nib.load(tmp_path / "a" / f"{name}.nii.gz") for name in ("labels", "lungs"))
    assert np.array_equal(np.asarray(labels.dataobj), data["pred"][0].numpy())
    assert np.array_equal(np.asarray(lungs.dataobj), data["lungs"][0].numpy())
    assert np.array_equal(labels.affine, AFFINE)
    assert np.array_equal(lungs.affine, AFFINE)
    measurements = json.loads((tmp_path / "a" / "measurements.json").read_text())
    assert measurements == result.measurements.as_json()
    assert measurements["lesions"]["ground_glass"]["volume_ml"] == 0.08
    provenance = json.loads((tmp_path / "a" / "provenance.json").read_text())
    assert provenance["findings"] == ["one", "two"]
    assert provenance["input"]["path"] == "in/a.nii.gz"
    assert set(provenance["seconds"]) == {"load", "write"}
    assert set(provenance["files"]) == names - {"provenance.json"}


def test_the_row_fits_the_table(tmp_path, data):
    row = write(tmp_path / "a", data, write=["measurements"]).row
    assert row["seconds"] >= 1.5
    first = dict(list(row.items())[:10])
    assert {**first, "seconds": 0} == {
        "case": "a",
        "status": "done",
        "error": "",
        "seconds": 0,
        "lung_volume_ml": pytest.approx(16.8),
        "percent_of_lung_involved": pytest.approx(100 * 8 / 1680),
        "severity": 1,
        "ground_glass_ml": pytest.approx(0.08),
        "consolidation_ml": 0.0,
        "pleural_effusion_ml": 0.0,
    }
    CaseTable(tmp_path / "cases.csv").put(row)
    assert CaseTable(tmp_path / "cases.csv").rows()[0]["ground_glass_ml"] == "0.08"


def test_only_what_was_asked_for(tmp_path, data):
    write(tmp_path / "a", data, write=["nifti"])
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"labels.nii.gz", "provenance.json"}


@pytest.mark.parametrize("lungs", ["none", "absent", "empty"])
def test_without_lungs_a_stale_mask_goes(tmp_path, data, lungs):
    write(tmp_path / "a", data)
    if lungs == "absent":
        del data["lungs"]
    else:
        data["lungs"] = None if lungs == "none" else torch.zeros_like(data["lungs"])
    result = write(tmp_path / "a", data)
    assert not (tmp_path / "a" / "lungs.nii.gz").exists()
    assert "lungs.nii.gz" not in result.files
    assert result.row["lung_volume_ml"] is None


def test_a_coarse_mask_is_brought_to_the_native_grid(tmp_path, data):
    fine, asked = data["lungs"], []
    coarse_affine = AFFINE @ np.diag([2.0, 2.0, 2.0, 1.0])
    data["lungs"] = volume(fine[0, ::2, ::2, ::2].numpy().copy(), coarse_affine)

    def restore(mask, affine, native_affine, native_shape):
        asked.append((tuple(mask.shape), affine, native_affine, native_shape))
        return fine

    result = write(tmp_path / "a", data, restore=restore)
    assert result.measurements.lung_volume_ml.total == pytest.approx(16.8)
    ((shape, affine, native_affine, native_shape),) = asked
    assert (shape, native_shape) == ((1, 5, 6, 7), SHAPE)
    assert np.array_equal(affine, coarse_affine)
    assert np.array_equal(native_affine, AFFINE)


@pytest.mark.parametrize(("planes", "step"), [(9, 1.0), (10, 1.1)])
def test_a_mask_of_another_shape_or_place_is_brought_over(tmp_path, data, planes, step):
    fine = data["lungs"]
    data["lungs"] = volume(fine[0, :planes].numpy().copy(), AFFINE @ np.diag([step, 1.0, 1.0, 1.0]))
    result = write(tmp_path / "a", data, restore=lambda *_: torch.ones(1, *SHAPE, dtype=torch.uint8))
    assert result.measurements.lung_volume_ml.right == 0.0


def test_a_coarse_mask_by_the_real_restorer(tmp_path, data):
    coarse = np.zeros((5, 6, 7), np.uint8)
    coarse[:3], coarse[3:] = 2, 1
    affine = AFFINE @ np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = (AFFINE @ (0.5, 0.5, 0.5, 1))[:3]
    data["lungs"] = volume(coarse, affine)
    lungs = write(tmp_path / "a", data).measurements.lung_volume_ml
    assert lungs.right == pytest.approx(6 * 12 * 14 * 0.01)
    assert lungs.total == pytest.approx(16.8)


def test_provenance_comes_last_and_an_old_one_goes_first(tmp_path, data, monkeypatch):
    write(tmp_path / "a", data)

    def full(folder, content):
        assert not (folder / "provenance.json").exists()
        raise OutputError("disk full")

    monkeypatch.setitem(kinds_module.RESULT_KINDS, "report", ResultKind(files=("preview.png",), write=full))
    with pytest.raises(OutputError, match="disk full"):
        write(tmp_path / "a", data)
    assert not (tmp_path / "a" / "provenance.json").exists()


def test_a_new_kind_slots_in(tmp_path, data, monkeypatch):
    kind = ResultKind(
        files=("labels.seg.dcm",),
        write=lambda folder, content: (folder / "labels.seg.dcm").touch(),
        fits=lambda content: content.meta["format"] == "dicom",
    )
    monkeypatch.setitem(RESULT_KINDS, "seg", kind)
    assert write(tmp_path / "a", data, write=["seg"]).files == ("provenance.json",)
    data["native"].meta["format"] = "dicom"
    assert write(tmp_path / "a", data, write=["seg"]).files == ("labels.seg.dcm", "provenance.json")


def test_probabilities_when_they_were_kept(tmp_path, data):
    with pytest.raises(SettingError, match="probabilities were asked for"):
        write(tmp_path / "a", data, write=["probabilities"])
    affine = np.diag([1.5, 1.5, 1.5, 1.0])
    probabilities = MetaTensor(torch.rand(4, 5, 6, 7).half(), affine=torch.from_numpy(affine))
    write(tmp_path / "a", {**data, "probabilities": probabilities}, write=["probabilities"])
    image = nib.load(tmp_path / "a" / "probabilities.nii.gz")
    assert np.array_equal(np.asarray(image.dataobj), probabilities.as_tensor().permute(1, 2, 3, 0).float().numpy())
    np.testing.assert_allclose(image.affine, affine)


def test_kinds_are_checked_before_anything_is_touched(tmp_path, data):
    with pytest.raises(SettingError, match=r"found niftii.*nifti, lungs, measurements, seg, sr, report, probabilities"):
        write(tmp_path / "a", data, write=["niftii", "report"])
    assert not (tmp_path / "a").exists()
    assert check_kinds(["report", "nifti", "report"]) == ("nifti", "report")
    assert check_kinds("nifti") == ("nifti",)
    assert "probabilities" not in DEFAULT_KINDS


@pytest.mark.parametrize("wrong", ["shape", "affine"])
def test_a_label_map_on_another_grid_is_refused(tmp_path, data, wrong):
    affine = AFFINE + np.eye(4) * (0.01 if wrong == "affine" else 0.0)
    shape = (9, 12, 14) if wrong == "shape" else SHAPE
    data["pred"] = volume(np.zeros(shape, np.uint8), affine)
    with pytest.raises(GeometryError, match="a: the label map is not on the grid of the input"):
        write(tmp_path / "a", data)


def test_arrays_share_the_tensors_memory(data):
    content = case_module.case_content(data, classes=CLASSES, bundle=BUNDLE)
    assert content.hu.ctypes.data == data["native"].data_ptr()
    assert content.label_map.ctypes.data == data["pred"].data_ptr()

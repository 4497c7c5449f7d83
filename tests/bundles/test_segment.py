"""Inference through the bundle's own command: what comes out, where it lies, and that every way in gives the same."""

import csv
import hashlib
import json

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

FILES = {"labels.nii.gz", "lungs.nii.gz", "measurements.json", "preview.png", "report.html", "provenance.json"}
DICOM_FILES = {"labels.seg.dcm", "measurements.sr.dcm"}
EDGES_HU = (-740.5, -350.5, 40.5)
"""Where the network of :func:`thresholds` changes from one class to the next."""
POINTWISE = {"_target_": "torch.nn.Conv3d", "in_channels": 1, "out_channels": 4, "kernel_size": 1}


@pytest.fixture(scope="module")
def segmented(segment, study, tmp_path_factory):
    """The results of one phantom, once from DICOM and once from NIfTI."""
    out = tmp_path_factory.mktemp("segmented")
    for name, files in study.items():
        result = segment(files.ct, out / name)
        assert result.returncode == 0, result.stderr
    return out


@pytest.fixture(scope="module")
def thresholds(tmp_path_factory):
    """Weights of a voxelwise network that tells classes by HU alone: linear logits that cross at the edges."""
    slope, bias = np.arange(4) * 40.0, np.zeros(4)
    for number, edge in enumerate(EDGES_HU):
        bias[number + 1] = bias[number] - 40.0 * (edge + 1000) / 1300
    path = tmp_path_factory.mktemp("thresholds") / "model.pt"
    state = {"weight": torch.tensor(slope).reshape(4, 1, 1, 1, 1), "bias": torch.tensor(bias)}
    torch.save({name: tensor.float() for name, tensor in state.items()}, path)
    return path


@pytest.fixture
def by_hu(segment, study, thresholds, tmp_path):
    """A function that segments the phantom by HU without resampling, and gives the case's folder."""

    def run(**keys):
        native = {"spacing_mm": [None, None, None], "precision": "float32", "network_def": POINTWISE}
        result = segment(study["nifti"].ct, tmp_path, weights=thresholds, **native, **keys)
        assert result.returncode == 0, result.stderr
        return tmp_path / "ct"

    return run


def test_dicom_and_nifti_of_one_phantom_give_the_same_label_map(segmented, study):
    images = [nib.load(segmented / name / "ct" / "labels.nii.gz") for name in study]
    one, other = (np.asanyarray(image.dataobj) for image in images)
    np.testing.assert_array_equal(one, other)
    assert one.dtype == np.uint8
    assert len(np.unique(one)) > 2


@pytest.mark.parametrize("name", ["labels", "lungs"])
def test_results_lie_on_the_grid_of_the_input(segmented, study, name):
    expected = nib.load(study["nifti"].ct)
    for source in study:
        image = nib.load(segmented / source / "ct" / f"{name}.nii.gz")
        assert image.shape == expected.shape
        np.testing.assert_allclose(image.affine, expected.affine, atol=1e-4)


def test_every_file_of_a_case_is_there_and_holds_what_it_should(segmented, tiny_bundle):
    folder = segmented / "dicom" / "ct"
    assert {path.name for path in folder.iterdir()} == FILES | DICOM_FILES
    assert {path.name for path in (segmented / "nifti" / "ct").iterdir()} == FILES
    measurements = json.loads((folder / "measurements.json").read_text())
    assert set(measurements["lesions"]) == {"ground_glass", "consolidation", "pleural_effusion"}
    assert 1000 < measurements["lung_volume_ml"]["total"] < 9000
    provenance = json.loads((folder / "provenance.json").read_text())
    digest = hashlib.sha256((tiny_bundle / "models" / "model.pt").read_bytes()).hexdigest()
    assert provenance["bundle"]["weights_hash"] == f"sha256:{digest}"
    assert provenance["bundle"]["version"] == json.loads((tiny_bundle / "configs/metadata.json").read_text())["version"]
    assert {"read", "network", "restore", "write"} <= set(provenance["seconds"])
    assert set(provenance["files"]) == (FILES | DICOM_FILES) - {"provenance.json"}
    with Image.open(folder / "preview.png") as picture:
        assert picture.size > (512, 512)


def test_a_row_a_case(segmented):
    with (segmented / "dicom" / "cases.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["case"], row["status"], row["error"]) == ("ct", "done", "")
    assert float(row["lung_volume_ml"]) > 1000


def test_nothing_of_the_patient_is_written_down(segmented):
    for path in segmented.rglob("*"):
        if path.suffix in (".json", ".csv"):
            assert "Phantom^" not in path.read_text()


def test_a_network_of_known_answers_gives_them_back(by_hu, study, label_map):
    folder = by_hu()
    labels, lungs = label_map(folder / "labels.nii.gz"), label_map(folder / "lungs.nii.gz")
    expected = np.digitize(label_map(study["nifti"].ct), EDGES_HU)
    inside = tuple(slice(hit.min(), hit.max() + 1) for hit in np.nonzero(lungs))
    np.testing.assert_array_equal(labels[inside], expected[inside])
    assert (labels[labels > 0] == expected[labels > 0]).all()
    assert not labels[[0, -1]].any()  # beyond the region of interest


def test_exact_mode_searches_the_whole_volume(by_hu, study, label_map):
    labels = label_map(by_hu(mode="exact") / "labels.nii.gz")
    np.testing.assert_array_equal(labels, np.digitize(label_map(study["nifti"].ct), EDGES_HU))


def test_mirrored_views_and_probabilities_on_the_network_grid(by_hu, study, label_map):
    folder = by_hu(tta=True, write=["nifti", "probabilities"])
    assert {path.name for path in folder.iterdir()} == {"labels.nii.gz", "probabilities.nii.gz", "provenance.json"}
    assert json.loads((folder / "provenance.json").read_text())["options"]["tta"] is True
    image, native = nib.load(folder / "probabilities.nii.gz"), nib.load(study["nifti"].ct)
    shares = np.asarray(image.dataobj)
    assert image.get_data_dtype() == np.float32  # NIfTI knows no half precision
    np.testing.assert_array_equal(shares, shares.astype(np.float16))
    np.testing.assert_allclose(shares.sum(-1), 1, atol=2e-3)
    # The network grid is the box of the region here, voxel on voxel.
    at = np.linalg.solve(native.affine, image.affine)
    moved = nib.as_closest_canonical(
        nib.Nifti1Image(np.asanyarray(nib.load(folder / "labels.nii.gz").dataobj), native.affine)
    )
    start = np.round(np.linalg.solve(moved.affine, image.affine)[:3, 3]).astype(int)
    np.testing.assert_allclose(np.abs(at[:3, :3]), np.eye(3), atol=1e-3)
    box = tuple(slice(first, first + size) for first, size in zip(start, shares.shape[:3], strict=True))
    np.testing.assert_array_equal(np.asanyarray(moved.dataobj)[box], shares.argmax(-1))
    assert len(np.unique(shares.argmax(-1))) == 4


def test_the_command_line_mirrors_and_keeps_probabilities(run_ctvol, tiny_bundle, study, tmp_path):
    result = run_ctvol(
        "segment", study["nifti"].ct, "-o", tmp_path, "--bundle", tiny_bundle, "--device", "cpu", "--tta",
        "--write", "nifti,probabilities", "--variant", "2.5d",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    image = nib.load(tmp_path / "ct" / "probabilities.nii.gz")
    np.testing.assert_allclose(nib.affines.voxel_sizes(image.affine), 5, atol=1e-4)
    assert image.shape[3] == 4
    assert json.loads((tmp_path / "ct" / "provenance.json").read_text())["options"]["tta"] is True


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_the_overlay_for_tensorrt_runs_without_it(segment, study, tmp_path, segmented):
    result = segment(study["nifti"].ct, tmp_path, "inference_trt", write=["nifti"])
    assert result.returncode == 0, result.stderr
    assert "backend tensorrt is not used" in result.stderr
    assert "device cuda" in result.stderr
    one, other = (folder / "ct" / "labels.nii.gz" for folder in (tmp_path, segmented / "nifti"))
    assert one.read_bytes() == other.read_bytes()


def test_binary_adds_up_all_lesions_of_the_weights(segment, study, tmp_path, segmented, label_map):
    result = segment(study["nifti"].ct, tmp_path, "binary")
    assert result.returncode == 0, result.stderr
    labels, four = (label_map(folder / "ct" / "labels.nii.gz") for folder in (tmp_path, segmented / "nifti"))
    assert np.unique(labels).tolist() == [0, 1]
    assert labels[four > 0].all()
    assert list(json.loads((tmp_path / "ct" / "measurements.json").read_text())["lesions"]) == ["lesion"]


def test_binary_takes_weights_of_two_classes(segment, study, tmp_path, weights, label_map):
    result = segment(study["nifti"].ct, tmp_path, "binary", weights=weights["two"])
    assert result.returncode == 0, result.stderr
    assert label_map(tmp_path / "ct" / "labels.nii.gz").max() == 1


def test_the_2_5d_overlay(segment, study, tmp_path, label_map):
    result = segment(study["dicom"].ct, tmp_path, "unet_2_5d")
    assert result.returncode == 0, result.stderr
    labels = label_map(tmp_path / "ct" / "labels.nii.gz")
    assert labels.shape == nib.load(study["nifti"].ct).shape
    assert labels.any()
    assert json.loads((tmp_path / "ct" / "provenance.json").read_text())["options"]["slices"] == 3


def test_the_command_line_gives_the_same_bytes(run_ctvol, tiny_bundle, study, tmp_path, segmented):
    result = run_ctvol("segment", study["dicom"].ct, "-o", tmp_path, "--bundle", tiny_bundle, "--device", "cpu")
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{tmp_path}\n"
    for name in ("labels.nii.gz", "lungs.nii.gz", "measurements.json", "preview.png"):
        assert (tmp_path / "ct" / name).read_bytes() == (segmented / "dicom" / "ct" / name).read_bytes()


def test_a_series_over_two_folders_gives_the_same_label_map(run_ctvol, tiny_bundle, study, tmp_path, segmented):
    for number, path in enumerate(sorted(study["dicom"].ct.iterdir())):
        part = tmp_path / "ct" / ("first" if number < 20 else "second")
        part.mkdir(parents=True, exist_ok=True)
        (part / path.name).write_bytes(path.read_bytes())
    out = tmp_path / "out"
    result = run_ctvol("segment", tmp_path, "-o", out, "--bundle", tiny_bundle, "--device", "cpu", "--write", "nifti")
    assert result.returncode == 0, result.stderr
    whole = segmented / "dicom" / "ct" / "labels.nii.gz"
    assert (out / "ct" / "labels.nii.gz").read_bytes() == whole.read_bytes()


def test_without_lungs_the_body_is_searched_and_it_is_said(segment, tmp_path):
    hu = np.full((40, 40, 30), -1000, dtype=np.int16)
    hu[8:32, 8:32] = 30
    nib.save(nib.Nifti1Image(hu, np.diag([8.0, 8.0, 8.0, 1.0])), tmp_path / "abdomen.nii.gz")
    result = segment(tmp_path / "abdomen.nii.gz", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "out" / "abdomen"
    assert {path.name for path in folder.iterdir()} == FILES - {"lungs.nii.gz"}
    assert json.loads((folder / "measurements.json").read_text())["percent_of_lung_involved"] is None
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["region"] == "body"
    assert "no lungs found" in provenance["findings"][0]


def test_it_runs_beside_a_transforms_module_of_the_users_own(run_cold, tiny_bundle, study, tmp_path):
    (tmp_path / "transforms.py").write_text("raise RuntimeError('not this one')")
    configs = tiny_bundle / "configs" / "inference.yaml"
    command = ["-m", "monai.bundle", "run", "--config_file", configs, "--bundle_root", tiny_bundle]
    result = run_cold(*command, "--dataset_dir", study["nifti"].ct, "--output_dir", "out", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out" / "ct" / "provenance.json").is_file()

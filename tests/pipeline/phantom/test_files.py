"""Phantoms as files: what is read back is what was made, and failures leave nothing half written."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK
from click.testing import CliRunner

from pipeline.cli.phantom import phantom as command
from pipeline.phantom import Phantom, PhantomSpec, make_phantom, write_phantom, write_phantom_dataset, writing
from transforms.errors import OutputError, SettingError

SMALL = PhantomSpec(seed=4, shape=(40, 36, 12), spacing_mm=(9.0, 10.0, 25.0))
OBLIQUE = PhantomSpec(seed=4, shape=(40, 36, 12), spacing_mm=(9.0, 10.0, 25.0), oblique_degrees=11.0)


@pytest.fixture(scope="module")
def small() -> Phantom:
    return make_phantom(SMALL)


@pytest.fixture(scope="module", params=[SMALL, OBLIQUE], ids=["straight", "oblique"])
def made(request: pytest.FixtureRequest) -> Phantom:
    return make_phantom(request.param)


def read_series(folder: Path) -> SimpleITK.Image:
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def affine_of(image: SimpleITK.Image) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def test_dicom_reads_back_with_the_same_hu_and_place(made: Phantom, tmp_path: Path) -> None:
    files = write_phantom(tmp_path, made, format="dicom")
    image = read_series(files.ct)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0), made.hu)
    np.testing.assert_allclose(affine_of(image), made.affine, atol=1e-4)
    truth = nib.load(files.truth)
    np.testing.assert_allclose(truth.affine, made.affine, atol=1e-4)
    np.testing.assert_array_equal(np.asanyarray(truth.dataobj), made.labels)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ct", "lungs_truth.nii.gz", "truth.nii.gz"]


def test_dicom_has_what_its_class_requires_and_the_same_uids_each_time(small: Phantom, tmp_path: Path) -> None:
    first, again = (write_phantom(tmp_path / f"{i}", what).ct / "000001.dcm" for i, what in enumerate((small, SMALL)))
    assert first.read_bytes() == again.read_bytes()
    image = pydicom.dcmread(first)
    assert (image.Modality, image.PatientName, image.PatientPosition) == ("CT", "Phantom^Chest", "HFS")
    assert image.SOPInstanceUID == image.file_meta.MediaStorageSOPInstanceUID
    assert image.SOPInstanceUID.startswith(pydicom.uid.PYDICOM_ROOT_UID)
    for keyword in ("KVP", "SliceThickness", "FrameOfReferenceUID", "ImageType", "AcquisitionNumber", "StudyID"):
        assert keyword in image


def test_nifti_reads_back(made: Phantom, tmp_path: Path) -> None:
    files = write_phantom(tmp_path, made, format="nifti")
    image = nib.load(files.ct)
    np.testing.assert_array_equal(np.asanyarray(image.dataobj), made.hu)
    np.testing.assert_allclose(image.affine, made.affine, atol=1e-4)
    np.testing.assert_array_equal(np.asanyarray(nib.load(files.lungs_truth).dataobj), made.lungs)


def test_gapped_series_lacks_inner_slices(small: Phantom, tmp_path: Path) -> None:
    files = write_phantom(tmp_path, small, gapped=True)
    heights = sorted(float(pydicom.dcmread(p).ImagePositionPatient[2]) for p in files.ct.iterdir())
    assert len(heights) == 9
    steps = np.diff(heights)
    assert steps.min() == pytest.approx(25.0)
    assert steps.max() == pytest.approx(75.0)


def test_failure_leaves_nothing_behind(small: Phantom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(folder: Path, *_: object) -> None:
        (folder / "000001.dcm").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "write_series", full)
    with pytest.raises(OutputError, match="No space left"):
        write_phantom(tmp_path, small)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lungs_truth.nii.gz", "truth.nii.gz"]


def test_a_file_in_the_way_is_an_output_error(small: Phantom, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="out: the phantom cannot be written"):
        write_phantom(tmp_path / "out", small)


@pytest.mark.parametrize("wrong", [{"format": "png"}, {"format": "nifti", "gapped": True}])
def test_wrong_settings_are_refused(wrong: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(SettingError):
        write_phantom(tmp_path / "out", SMALL, **wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_dataset_lists_files_that_fit_each_other(tmp_path: Path) -> None:
    seeds = {"training": [0], "validation": [2], "test": [3]}
    listing = json.loads(
        write_phantom_dataset(tmp_path, seeds=seeds, shape=(24, 24, 20), spacing_mm=(15.0, 15.0, 15.0)).read_text()
    )
    assert {split: len(listing[split]) for split in seeds} == {"training": 1, "validation": 1, "test": 1}
    for entry in (entry for split in seeds for entry in listing[split]):
        image, label = (nib.load(tmp_path / entry[kind]) for kind in ("image", "label"))
        assert image.shape == label.shape == (24, 24, 20)
        np.testing.assert_array_equal(image.affine, label.affine)
    with pytest.raises(SettingError, match="twice"):
        write_phantom_dataset(tmp_path / "other", seeds={"training": [1], "test": [1]})


def test_command_prints_the_paths_alone(tmp_path: Path) -> None:
    run = CliRunner().invoke(command, [str(tmp_path / "p"), "--slices", "8", "--size", "48", "--seed", "3"])
    assert run.exit_code == 0, run.output
    ct, truth, lungs = (Path(line) for line in run.stdout.splitlines())
    assert len(list(ct.iterdir())) == 8
    assert truth.is_file()
    assert lungs.is_file()


def test_command_refuses_healthy_lesions(tmp_path: Path) -> None:
    run = CliRunner().invoke(command, [str(tmp_path), "--healthy", "--lesion", "ground_glass"])
    assert run.exit_code == 2

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
import torch
from monai.data import MetaTensor
from scipy.spatial.transform import Rotation

from pipeline.export import nifti
from pipeline.export.nifti import write_label_map, write_volume
from transforms.errors import OutputError

SHAPE = (7, 5, 70)


def rigid_affine(angles=(10.0, -20.0, 30.0), spacing=(0.7, 0.7, 1.25), flip=(-1, -1, 1)):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * np.multiply(spacing, flip)
    affine[:3, 3] = (123.456789, -67.1, 1000.3)
    return affine


def sheared_affine():
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[1, 2] = 0.5
    return affine


@pytest.fixture
def label_map():
    return np.random.default_rng(0).integers(0, 4, SHAPE, dtype=np.uint8)


@pytest.mark.parametrize("order", ["C", "F"])
def test_voxels_and_affine_come_back(tmp_path, label_map, order):
    affine = rigid_affine()
    write_label_map(np.asarray(label_map, order=order), affine, tmp_path / "a.nii.gz")
    image = nib.load(tmp_path / "a.nii.gz")
    assert image.get_data_dtype() == np.uint8
    assert np.array_equal(np.asarray(image.dataobj), label_map)
    assert np.array_equal(image.affine.astype(np.float32), affine.astype(np.float32))
    assert image.header.get_xyzt_units()[0] == "mm"
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (1, 1)
    assert np.allclose(image.get_qform(), affine, atol=1e-3)
    assert np.allclose(image.header.get_zooms(), (0.7, 0.7, 1.25))


def test_a_sheared_grid_has_no_qform(tmp_path, label_map):
    write_label_map(label_map, sheared_affine(), tmp_path / "a.nii.gz")
    image = nib.load(tmp_path / "a.nii.gz")
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (1, 0)
    assert np.array_equal(image.affine, sheared_affine())
    assert np.array_equal(np.asarray(image.dataobj), label_map)


def test_another_reader_finds_the_same_place(tmp_path, label_map):
    affine = rigid_affine()
    write_label_map(label_map, affine, tmp_path / "a.nii.gz")
    image = SimpleITK.ReadImage(str(tmp_path / "a.nii.gz"))
    assert np.array_equal(SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0), label_map)
    place = image.TransformContinuousIndexToPhysicalPoint((3.0, 2.0, 60.0))
    expected = (affine @ (3, 2, 60, 1))[:3] * (-1, -1, 1)
    assert np.allclose(place, expected, atol=1e-2)


def test_slices_are_written_in_several_blocks(tmp_path, label_map, monkeypatch):
    write_label_map(label_map, np.eye(4), tmp_path / "a.nii.gz")
    monkeypatch.setattr(nifti, "_SLICES_AT_ONCE", 1000)
    write_label_map(label_map, np.eye(4), tmp_path / "b.nii.gz")
    voxels = [np.asarray(nib.load(tmp_path / name).dataobj) for name in ("a.nii.gz", "b.nii.gz")]
    assert np.array_equal(*voxels)


def test_the_same_volume_gives_the_same_bytes(tmp_path, label_map):
    for name in ("a.nii.gz", "b.nii.gz"):
        write_label_map(label_map, np.eye(4), tmp_path / name)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.nii.gz", "b.nii.gz"))
    assert first == second
    assert first[4:8] == bytes(4), "no time in the gzip header"


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("shape", [SHAPE, (*SHAPE, 3)])
def test_real_numbers(tmp_path, dtype, shape):
    volume = np.random.default_rng(1).random(shape).astype(dtype)
    write_volume(volume, rigid_affine(), tmp_path / "p.nii.gz")
    image = nib.load(tmp_path / "p.nii.gz")
    assert image.get_data_dtype() == np.float32
    assert np.array_equal(np.asarray(image.dataobj), volume.astype(np.float32))


def test_tensors_are_taken(tmp_path, label_map):
    tensor = MetaTensor(torch.from_numpy(label_map), affine=torch.eye(4))
    write_label_map(tensor, np.eye(4), tmp_path / "a.nii.gz")
    assert np.array_equal(np.asarray(nib.load(tmp_path / "a.nii.gz").dataobj), label_map)


def test_what_is_no_label_map_is_refused(tmp_path, label_map):
    with pytest.raises(TypeError, match="uint8, not int64"):
        write_label_map(label_map.astype(np.int64), np.eye(4), tmp_path / "a.nii.gz")
    with pytest.raises(ValueError, match="axes"):
        write_label_map(label_map[None], np.eye(4), tmp_path / "a.nii.gz")
    with pytest.raises(TypeError, match="float16 or float32"):
        write_volume(label_map, np.eye(4), tmp_path / "a.nii.gz")
    with pytest.raises(ValueError, match="axes"):
        write_volume(np.zeros((2, 2), np.float32), np.eye(4), tmp_path / "a.nii.gz")
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_an_output_error(tmp_path, label_map):
    with pytest.raises(OutputError, match="cannot be written"):
        write_label_map(label_map, np.eye(4), tmp_path / "none" / "a.nii.gz")

"""What is planned from headers alone is what is read."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from transforms.dicom_headers import scan
from transforms.reading import read_ct
from transforms.reading.dicom import plan_series
from transforms.reading.itk_files import plan_itk
from transforms.reading.nifti import plan_nifti
from transforms.reading.sources import dicom_files


@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz", "ct.nrrd", "ct.mha"])
def test_volume_files(tmp_path, name):
    path = tmp_path / name
    voxels = np.random.default_rng(0).integers(-1000, 1000, (6, 5, 4)).astype(np.int16)
    if ".nii" in name:
        nib.save(nib.Nifti1Image(voxels, np.diag([-0.8, -0.7, 2.5, 1.0])), path)
    else:
        image = sitk.GetImageFromArray(voxels)
        image.SetSpacing((0.8, 0.7, 2.5))
        sitk.WriteImage(image, path)
    plan = (plan_nifti if ".nii" in name else plan_itk)(path)
    volume = read_ct(path)
    assert (plan.shape, plan.repairs) == (volume.array.shape, volume.repairs)
    np.testing.assert_array_equal(plan.affine, volume.affine)


def test_dicom(dicom_series):
    folder = dicom_series().write(order=[3, 0, 4, 1, 2])
    with dicom_files(folder, str(folder)) as files:
        plan = plan_series(scan(files), str(folder), series_uid=None, allow=frozenset())
    volume = read_ct(folder)
    assert tuple(one.file.name for one in plan.slices) == volume.source_files
    np.testing.assert_array_equal(plan.affine, volume.affine)


def test_cut_pixels_are_refused_by_the_plan(dicom_series):
    from transforms.errors import UnreadableError

    folder = dicom_series().write()
    last = sorted(folder.iterdir())[-1]
    last.write_bytes(last.read_bytes()[:-2])
    with dicom_files(folder, str(folder)) as files:
        found = scan(files)
    with pytest.raises(UnreadableError, match="cut short"):
        plan_series(found, str(folder), series_uid=None, allow=frozenset())

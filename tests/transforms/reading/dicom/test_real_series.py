"""Real CT that is tilted, gapped or several stacks in one: the places against the headers, the values against ITK."""

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from scipy import ndimage

from transforms.reading import read_ct

MANUFACTURERS = "awkward/dicom2nifti-failing"
REFUSED = {
    "awkward/dcm-qa-ct-ge": ("not evenly spaced", "4.00 mm (13x), 7.00 mm (13x), 1.08 mm (1x)"),
    f"{MANUFACTURERS}/gantrytilting/001": ("gantry tilt", "14.0 degrees"),
    f"{MANUFACTURERS}/notavolume/001": ("two different slices lie at one place",),
    f"{MANUFACTURERS}/sliceincrement/001": ("1 slice(s) seem to be missing", "between 28.11 mm"),
    f"{MANUFACTURERS}/sliceincrement/002": ("1 slice(s) seem to be missing", "1.50 mm (1x)"),
    f"{MANUFACTURERS}/slicecount/001": ("no CT series", "2 modality MR"),
    f"{MANUFACTURERS}/sliceorientation/001": ("no CT series", "4 modality MR"),
}
CORRECTED = {
    "awkward/dcm-qa-ct-ge": ((512, 611, 37), (0.488281, 0.488281, 4.002453)),
    f"{MANUFACTURERS}/gantrytilting/001": ((512, 521, 4), (0.417969, 0.417969, 4.851479)),
    f"{MANUFACTURERS}/sliceincrement/001": ((512, 512, 5), (0.429688, 0.429688, 5.0)),
    f"{MANUFACTURERS}/sliceincrement/002": ((512, 514, 5), (0.511719, 0.511719, 0.749705)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_as_it_is(real_data, refusal, name):
    message = refusal(real_data / name)
    for part in REFUSED[name]:
        assert part in message


@pytest.mark.parametrize("name", CORRECTED)
def test_corrected_on_request(real_data, name):
    shape, spacing = CORRECTED[name]
    volume = read_ct(real_data / name, allow=["tilt", "uneven"])
    assert volume.array.shape == shape
    np.testing.assert_allclose(np.linalg.norm(volume.affine[:3, :3], axis=0), spacing, atol=1e-5)
    axes = volume.affine[:3, :3] / np.linalg.norm(volume.affine[:3, :3], axis=0)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-6)


@pytest.mark.parametrize("name", CORRECTED)
def test_values_at_each_slice_are_what_itk_sees_there(real_data, name):
    volume = read_ct(real_data / name, allow=["tilt", "uneven"])
    to_index = np.linalg.inv(volume.affine)
    compared = 0
    for source in volume.source_files:
        dataset = pydicom.dcmread(source)
        start = np.array(dataset.ImagePositionPatient, dtype=float) * [-1, -1, 1]
        depth = (to_index @ [*start, 1])[2]
        plane = round(depth)
        if abs(depth - plane) * np.linalg.norm(volume.affine[:3, 2]) > 0.1:
            continue  # no plane lies on this slice
        ours = volume.array[..., plane]
        theirs = _resampled_by_itk(dataset, source, volume.affine, plane, volume.array.shape)
        # ITK goes half a voxel beyond the edge, and blends with padding: neither is compared.
        inside = ndimage.binary_erosion((ours > -1000) & (theirs > -1000), iterations=2)
        np.testing.assert_allclose(ours[inside], theirs[inside], rtol=0, atol=0.1)
        assert inside.mean() > 0.1
        compared += 1
    assert compared >= 4


def _resampled_by_itk(dataset, source, affine, plane, shape):
    """One slice, linearly interpolated by ITK at the points of a plane of ours; -1e4 beyond its edges."""
    image = sitk.Cast(sitk.ReadImage(source), sitk.sitkFloat32)
    axes = np.array(dataset.ImageOrientationPatient, dtype=float).reshape(2, 3)
    image.SetDirection(np.c_[axes[0], axes[1], np.cross(*axes)].ravel().tolist())
    image.SetOrigin([float(value) for value in dataset.ImagePositionPatient])
    image.SetSpacing((float(dataset.PixelSpacing[1]), float(dataset.PixelSpacing[0]), 1.0))
    lps = np.diag([-1, -1, 1, 1]) @ affine
    target = sitk.Image([*shape[:2], 1], sitk.sitkFloat32)
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    target.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    target.SetSpacing(spacing.tolist())
    target.SetOrigin((lps @ [0, 0, plane, 1])[:3].tolist())
    return sitk.GetArrayFromImage(sitk.Resample(image, target, sitk.Transform(), sitk.sitkLinear, -1e4))[0].T

"""Real CT: voxel for voxel and to a micrometre what SimpleITK reads; awkward files end in the error family."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from transforms.errors import CTError
from transforms.reading import read_ct, read_label_map

SERIES = ["chest-lidc-0314", "chest-lung-dx-a0002/series-3-B40f", "chest-lung-dx-a0002/series-2-B70f"]


def same(volume, image):
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(image).T, volume.array)
    last = [size - 1 for size in volume.array.shape]
    for index in ([0, 0, 0], last, [last[0], 0, 0], [0, last[1], 0], [0, 0, last[2]]):
        lps = np.array(image.TransformIndexToPhysicalPoint(index))
        np.testing.assert_allclose((volume.affine @ [*index, 1])[:3], lps * [-1, -1, 1], rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", SERIES)
def test_dicom(real_data, name):
    folder = str(real_data / name)
    (uid,) = sitk.ImageSeriesReader.GetGDCMSeriesIDs(folder)
    image = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(folder, uid))
    volume = read_ct(folder)
    assert volume.array.dtype == np.int16
    assert volume.series_uid == uid
    same(volume, image)


def test_the_whole_reconstruction_is_taken(real_data):
    volume = read_ct(real_data / "chest-lung-dx-a0002")
    assert volume.array.shape == (512, 512, 30)
    assert "10 slices over 80 mm" in volume.repairs[0]


def test_nifti(real_data):
    folders = sorted((real_data / "sts-ct").glob("STS_*"))
    assert folders
    for folder in folders:
        same(read_ct(folder / "CT_image.nii.gz"), sitk.ReadImage(str(folder / "CT_image.nii.gz")))
        assert set(np.unique(read_label_map(folder / "CT_mask.nii.gz", allowed=[0, 1]))) == {0, 1}


def test_jpeg2000_slices(real_data):
    volume = read_ct(real_data / "awkward/totalseg-example/example_ct_dicom")
    assert volume.array.shape == (512, 512, 20)
    assert volume.series_uid is None  # the de-identified header has none


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_awkward_inputs_end_in_the_family(real_data):
    root = real_data / "awkward"
    folders = [path for path in root.rglob("*") if path.is_dir()]
    paths = [*folders, *(root / "pydicom").iterdir(), *(root / "totalseg-example").glob("*.nii.gz")]
    outcomes = {}
    for path in paths:
        try:
            outcomes[path] = read_ct(path).array.shape
        except CTError as error:
            outcomes[path] = error
    assert sum(isinstance(outcome, tuple) for outcome in outcomes.values()) >= 6
    errors = [outcome for outcome in outcomes.values() if isinstance(outcome, CTError)]
    assert len(errors) > 80
    assert all(error.remedy for error in errors)

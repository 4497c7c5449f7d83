"""Real files of every encoding: the same values as their uncompressed twins and as SimpleITK has them."""

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from pydicom.uid import CTImageStorage

from transforms.errors import MissingExtraError, UnreadableError

from .conftest import hounsfield_of

TWINS = [f"MR_small_{name}" for name in ("RLE", "bigendian", "expb", "implicit", "jp2klossless", "jpeg_ls_lossless")]
TWINS += ["rtdose_expb_1frame", "rtdose_rle_1frame"]
LIKE_SIMPLEITK = {
    "CT_small": 0, "J2K_pixelrep_mismatch": 0, "JPEG2000": 0, "JPEGLSNearLossless_08": 0,
    "JPEGLSNearLossless_16": 0, "JPGExtended": 1, "examples_overlay": 0, "image_dfl": 0, "rtdose_1frame": 0,
}  # fmt: skip
"""And by how much they may differ: decoders of JPEG round their cosines differently."""


@pytest.fixture
def as_ct(real_data, tmp_path):
    """A function that copies a file as a CT slice of slope 1 and intercept 0, its pixels as they are."""

    def copy(name):
        dataset = pydicom.dcmread(real_data / f"awkward/pydicom/{name}.dcm", force=True)
        dataset.Modality, dataset.SOPClassUID, dataset.ImageType = "CT", CTImageStorage, ["ORIGINAL", "PRIMARY"]
        dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
        dataset.RescaleSlope, dataset.RescaleIntercept, dataset.SamplesPerPixel = 1, 0, 1
        folder = tmp_path / name
        folder.mkdir()
        dataset.save_as(folder / "slice.dcm")
        return folder

    return copy


@pytest.mark.parametrize("name", TWINS)
def test_same_as_the_uncompressed_twin(as_ct, name):
    plain, _ = hounsfield_of(as_ct("MR_small" if name.startswith("MR") else "rtdose_1frame"))
    planes, _ = hounsfield_of(as_ct(name))
    np.testing.assert_array_equal(planes, plain)


@pytest.mark.parametrize("name", list(LIKE_SIMPLEITK))
def test_same_as_simpleitk(as_ct, name):
    folder = as_ct(name)
    planes, said = hounsfield_of(folder)
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "slice.dcm")))
    np.testing.assert_allclose(planes, theirs, rtol=0, atol=LIKE_SIMPLEITK[name])
    assert said == ()


def test_padding_of_a_real_file_becomes_air(as_ct):
    folder = as_ct("693_J2KI")
    planes, said = hounsfield_of(folder)
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "slice.dcm")))
    np.testing.assert_array_equal(planes, np.where(theirs == -2000, -1024, theirs))
    assert said[0].startswith("494 voxels outside the field of view, marked by PixelPaddingValue (-2000 HU)")


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("MR_truncated", "cut short"),
        ("MR_small_padded", "more pixels than the header describes"),
        ("JPEG-lossy", "cannot be decoded"),
        ("JPEG2000-embedded-sequence-delimiter", "not what the header says"),
        ("liver_1frame", "stored in a way that cannot be"),
        ("liver_expb_1frame", "stored in a way that cannot be"),
    ],
)
def test_what_cannot_be_read_is_refused(as_ct, name, finding):
    with pytest.raises(UnreadableError, match=finding) as caught:
        hounsfield_of(as_ct(name))
    assert not isinstance(caught.value, MissingExtraError)

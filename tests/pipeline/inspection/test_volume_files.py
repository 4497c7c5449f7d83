"""What an inspection says of NIfTI, NRRD and MetaImage files."""

import gzip

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from pipeline.datasets.studies import Case
from pipeline.inspection import inspect_case
from transforms.errors import CTError
from transforms.reading import read_ct


def looked_at(path, **options):
    return inspect_case(Case(name="case", path=path), **options)


def nifti(path, *, dtype=np.int16, units="mm", sform=1, qform=1, shape=(12, 10, 8), scale=None):
    affine = np.diag([-0.8, -0.7, 2.5, 1.0])
    voxels = np.full(shape, 40, dtype)
    voxels[:6] = -1000 if np.issubdtype(dtype, np.signedinteger) or np.issubdtype(dtype, np.floating) else 0
    image = nib.Nifti1Image(voxels, affine)
    image.header.set_xyzt_units(units)
    image.set_sform(affine, code=sform)
    image.set_qform(affine, code=qform)
    if scale:
        image.header.set_slope_inter(*scale)
    nib.save(image, path)
    return path


@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz"])
def test_a_nifti_header(tmp_path, name):
    found = looked_at(nifti(tmp_path / name, dtype=np.float32))
    assert (found.format, found.verdict.sentence) == ("nifti", "will be read")
    assert (found.volume.shape, found.volume.spacing_mm, found.volume.plane) == ((12, 10, 8), (0.8, 0.7, 2.5), "axial")
    header = found.file
    assert (header.shape, header.spacing_mm, header.orientation) == ((12, 10, 8), (0.8, 0.7, 2.5), "LPS")
    assert (header.stored_type, header.units, header.qform_code, header.sform_code) == ("float32", "mm", 1, 1)


def test_scaling_and_units_are_those_of_the_file(tmp_path):
    header = looked_at(nifti(tmp_path / "ct.nii", units="micron", scale=(0.5, -10))).file
    assert (header.units, header.slope, header.intercept) == ("micron", 0.5, -10.0)


@pytest.mark.parametrize(
    "options", [{"sform": 0, "qform": 0}, {"shape": (12, 10, 8, 2)}], ids=["without place", "several volumes"]
)
def test_a_refused_header_is_described_all_the_same(tmp_path, options):
    path = nifti(tmp_path / "ct.nii.gz", **options)
    found = looked_at(path)
    with pytest.raises(CTError) as caught:
        read_ct(path)
    assert (found.verdict.kind, found.verdict.error) == ("refused", str(caught.value))
    assert found.file.shape == options.get("shape", (12, 10, 8))
    assert found.volume is None


def test_a_file_without_a_header_is_refused(tmp_path):
    for name, content in (
        ("a.nii.gz", gzip.compress(b"nothing")),
        ("b.nii.gz", b"nothing"),
        ("c.mha", b"x"),
        ("d", b"x"),
    ):
        (tmp_path / name).write_bytes(content)
        found = looked_at(tmp_path / name)
        assert (found.verdict.kind, found.verdict.error_kind, found.file) == ("refused", "UnreadableError", None)


def test_a_file_that_is_too_short_is_seen_from_its_header(tmp_path):
    path = nifti(tmp_path / "ct.nii")
    path.write_bytes(path.read_bytes()[:-10])
    assert looked_at(path).verdict.error_kind == "UnreadableError"


@pytest.mark.parametrize(("name", "kind"), [("ct.nrrd", "nrrd"), ("ct.mha", "metaimage")])
def test_an_itk_header(tmp_path, name, kind):
    image = sitk.GetImageFromArray(np.full((8, 10, 12), 40, np.int16))
    image.SetSpacing((0.8, 0.7, 2.5))
    image.SetDirection((1, 0, 0, 0, -1, 0, 0, 0, 1))
    sitk.WriteImage(image, tmp_path / name)
    found = looked_at(tmp_path / name)
    assert (found.format, found.verdict.kind, found.volume.shape) == (kind, "read", (12, 10, 8))
    header = found.file
    assert (header.shape, header.spacing_mm, header.orientation) == ((12, 10, 8), (0.8, 0.7, 2.5), "LAS")
    assert (header.stored_type, header.units, header.qform_code) == ("16-bit signed integer", "mm", None)


def test_values_of_a_label_map_are_no_hounsfield_units(tmp_path):
    path = nifti(tmp_path / "mask.nii.gz", dtype=np.uint8)
    assert looked_at(path).verdict.kind == "read"
    found = looked_at(path, values=True)
    assert (found.verdict.needs, found.values.kind, found.values.high) == (("not-hu",), "grey", 40)
    assert looked_at(path, values=True, allow=["not-hu"]).verdict.kind == "read"


def test_values_that_are_no_numbers_are_refused(tmp_path):
    path = nifti(tmp_path / "ct.nii", dtype=np.float32)
    content = bytearray(path.read_bytes())
    content[-4:] = np.float32("nan").tobytes()
    path.write_bytes(content)
    found = looked_at(path, values=True)
    assert (found.verdict.error_kind, found.values, found.volume) == ("IntensityError", None, None)

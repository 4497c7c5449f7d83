"""NIfTI, NRRD and MetaImage volumes."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
import torch
from scipy.spatial.transform import Rotation

from transforms.errors import GeometryError, IntensityError, UnreadableError
from transforms.reading import LoadCTd, read_ct

AFFINE = np.array([[-0.7, 0, 0, 30.0], [0, -0.8, 0, -20.0], [0, 0, 2.5, 100.0], [0, 0, 0, 1]])
HU = np.random.default_rng(0).integers(-1000, 1500, (7, 6, 5)).astype(np.int16)


def save(path: Path, array=HU, affine=AFFINE, kind=nib.Nifti1Image, change=None) -> Path:
    image = kind(array, affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    if change is not None:  # in the file itself: nibabel mends what it saves
        content = gzip.decompress(path.read_bytes())
        header = nib.Nifti1Header(content[:348], check=False)
        change(header)
        path.write_bytes(gzip.compress(header.binaryblock + content[348:]))
    return path


def expect_refusal(kind, path, *parts, **options):
    with pytest.raises(kind) as caught:
        read_ct(path, **options)
    assert caught.value.remedy
    for part in (str(path), *parts):
        assert part in str(caught.value)


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<u2", "<i4", "<f4", ">f4", "<f8"])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_nifti_of_every_type(tmp_path, dtype, ending):
    hu = np.abs(HU) + 300 if dtype == "<u2" else HU  # above 255: no picture
    volume = read_ct(save(tmp_path / f"ct{ending}", hu.astype(dtype)))
    assert volume.array.dtype == np.int16
    np.testing.assert_array_equal(volume.array, hu)
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)
    assert (volume.format, volume.repairs) == ("nifti", ())


def test_nifti2(tmp_path):
    np.testing.assert_array_equal(read_ct(save(tmp_path / "ct.nii.gz", kind=nib.Nifti2Image)).array, HU)


def test_fractions_stay(tmp_path):
    hu = HU + np.float32(0.25)
    volume = read_ct(save(tmp_path / "ct.nii.gz", hu))
    assert volume.array.dtype == np.float32
    np.testing.assert_array_equal(volume.array, hu)


@pytest.mark.parametrize(
    ("slope", "inter", "dtype"), [(1.0, -1024.0, np.int16), (2.0, -1000.0, np.int16), (0.25, 0.5, np.float32)]
)
def test_scaling_is_applied(tmp_path, slope, inter, dtype):
    stored = np.random.default_rng(1).integers(0, 2000, (7, 6, 5)).astype(np.int16)
    image = nib.Nifti1Image(stored, AFFINE)
    image.header.set_slope_inter(slope, inter)
    nib.save(image, tmp_path / "ct.nii")
    with (tmp_path / "ct.nii").open("r+b") as file:  # nibabel rescales what it saves: put the stored values back
        file.seek(112)
        file.write(np.array([slope, inter], "<f4").tobytes())
        file.seek(352)
        file.write(stored.tobytes(order="F"))
    volume = read_ct(tmp_path / "ct.nii")
    assert volume.array.dtype == dtype
    np.testing.assert_array_equal(volume.array, stored * slope + inter)


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha", ".mhd"])
def test_every_format_has_the_place_that_itk_sees(tmp_path, ending):
    image = sitk.GetImageFromArray(HU.T)
    image.SetSpacing((0.7, 0.8, 2.5))
    image.SetOrigin((1.0, -2.0, 3.0))
    image.SetDirection(Rotation.from_euler("xyz", [10, 20, -30], degrees=True).as_matrix().ravel())
    path = tmp_path / f"ct{ending}"
    sitk.WriteImage(image, str(path))
    volume = read_ct(path)
    np.testing.assert_array_equal(volume.array, HU)
    for index in ((0, 0, 0), (6, 5, 4)):
        lps = np.array(image.TransformIndexToPhysicalPoint(index))
        np.testing.assert_allclose((volume.affine @ [*index, 1])[:3], lps * [-1, -1, 1], atol=1e-3)


def test_same_as_monais_loader(tmp_path):
    from monai.transforms import LoadImage

    path = save(tmp_path / "ct.nii.gz", HU.astype(np.float32))
    ours, theirs = LoadCTd("image")({"image": path})["image"], LoadImage(ensure_channel_first=True)(path)
    assert torch.equal(ours.as_tensor(), theirs.as_tensor())
    torch.testing.assert_close(ours.affine, theirs.affine, rtol=0, atol=1e-9)
    for key in ("space", "filename_or_obj"):
        assert ours.meta[key] == theirs.meta[key]
    assert list(ours.meta["spatial_shape"]) == list(theirs.meta["spatial_shape"])
    assert np.isnan(ours.meta["original_channel_dim"]) == np.isnan(theirs.meta["original_channel_dim"])


def test_a_trailing_axis_of_one_is_dropped(tmp_path):
    assert read_ct(save(tmp_path / "ct.nii.gz", HU[..., None])).array.shape == (7, 6, 5)


def test_time_series_is_refused(tmp_path):
    expect_refusal(GeometryError, save(tmp_path / "ct.nii.gz", np.stack([HU, HU], -1)), "7 x 6 x 5 x 2", "one volume")
    image = sitk.JoinSeries([sitk.GetImageFromArray(HU.T)] * 2)
    sitk.WriteImage(image, str(tmp_path / "ct.nrrd"))
    expect_refusal(GeometryError, tmp_path / "ct.nrrd", "7 x 6 x 5 x 2")


def test_two_axes_are_refused(tmp_path):
    expect_refusal(GeometryError, save(tmp_path / "ct.nii.gz", HU[..., 0]), "7 x 6")


class TestPlace:
    def test_without_codes(self, tmp_path):
        def change(header):
            header["qform_code"] = header["sform_code"] = 0

        expect_refusal(GeometryError, save(tmp_path / "ct.nii.gz", change=change), "which side is left", "sform_code 0")

    def test_contradiction(self, tmp_path):
        def change(header):
            header["qoffset_x"] += 5

        expect_refusal(GeometryError, save(tmp_path / "ct.nii.gz", change=change), "contradict", "corners 5 mm apart")

    def test_qform_alone(self, tmp_path):
        def change(header):
            header["sform_code"] = 0

        np.testing.assert_allclose(read_ct(save(tmp_path / "ct.nii.gz", change=change)).affine, AFFINE, atol=1e-4)

    @pytest.mark.parametrize(("row", "finding"), [(0.0, "voxel size is impossible"), (np.nan, "not numbers")])
    def test_broken_affine(self, tmp_path, row, finding):
        def change(header):
            header["srow_x"] = row
            header["qform_code"] = 0

        expect_refusal(GeometryError, save(tmp_path / "ct.nii.gz", change=change), finding)

    def test_shear(self, tmp_path):
        def change(header):
            header["srow_y"][2] = 0.4
            header["qform_code"] = 0

        expect_refusal(GeometryError, save(tmp_path / "ct.nii.gz", change=change), "not perpendicular", "degrees")

    def test_micrometres_are_converted_and_said(self, tmp_path):
        micro = AFFINE * np.array([[1000], [1000], [1000], [1]])
        volume = read_ct(save(tmp_path / "ct.nii.gz", affine=micro, change=lambda header: header.set_xyzt_units(3)))
        np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-4)
        assert "micrometres" in volume.repairs[0]

    @pytest.mark.parametrize("line", [b"space directions:", b"space:"])
    def test_nrrd_without_place(self, tmp_path, line):
        sitk.WriteImage(sitk.GetImageFromArray(HU.T), str(tmp_path / "ct.nrrd"))
        content = (tmp_path / "ct.nrrd").read_bytes()
        (tmp_path / "ct.nrrd").write_bytes(b"\n".join(row for row in content.split(b"\n") if not row.startswith(line)))
        expect_refusal(GeometryError, tmp_path / "ct.nrrd", "does not say where")

    def test_metaimage_without_spacing(self, tmp_path):
        sitk.WriteImage(sitk.GetImageFromArray(HU.T), str(tmp_path / "ct.mha"))
        content = (tmp_path / "ct.mha").read_bytes()
        (tmp_path / "ct.mha").write_bytes(content.replace(b"ElementSpacing = 1 1 1\n", b""))
        expect_refusal(GeometryError, tmp_path / "ct.mha", "no ElementSpacing")


class TestBrokenFiles:
    @pytest.mark.parametrize("name", ["ct.nii.gz", "ct.nii", "ct.nrrd", "ct.mha"])
    def test_text(self, tmp_path, name):
        (tmp_path / name).write_text("this is not a volume\n" * 50)
        expect_refusal(UnreadableError, tmp_path / name)

    @pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd", ".mha"])
    @pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
    def test_cut_short(self, tmp_path, ending, share):
        path = tmp_path / f"ct{ending}"
        image = sitk.GetImageFromArray(np.random.default_rng(0).integers(-1000, 1000, (9, 40, 40)).astype(np.int16))
        sitk.WriteImage(image, str(path))
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        expect_refusal((UnreadableError, GeometryError), path)

    def test_checksum(self, tmp_path):
        large = np.random.default_rng(0).integers(-1000, 1000, (40, 40, 60)).astype(np.int16)
        path = save(tmp_path / "ct.nii.gz", large)  # its end is not yet read when its header is
        content = bytearray(path.read_bytes())
        content[-8] ^= 0xFF
        path.write_bytes(bytes(content))
        expect_refusal(UnreadableError, path, "voxels cannot be read", "corrupt")

    def test_gzip_of_something_else(self, tmp_path):
        (tmp_path / "ct.nii.gz").write_bytes(gzip.compress(b"x" * 1000))
        expect_refusal(UnreadableError, tmp_path / "ct.nii.gz")

    def test_header_that_claims_more_than_there_can_be(self, tmp_path):
        path = save(tmp_path / "ct.nii")
        content = bytearray(path.read_bytes())
        content[42:48] = np.array([30000] * 3, "<i2").tobytes()
        path.write_bytes(gzip.compress(bytes(content)))
        expect_refusal(UnreadableError, path.rename(tmp_path / "ct.nii.gz"), "shorter than its header says")

    def test_colour(self, tmp_path):
        colour = np.zeros((4, 4, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
        expect_refusal(UnreadableError, save(tmp_path / "ct.nii.gz", colour), "not numbers on one scale")


class TestValues:
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("options", [{}, {"smallest": False}, {"allow": ["not-hu"]}])
    def test_not_finite(self, tmp_path, bad, options):
        hu = HU.astype(np.float32)
        hu[1, 2, 3] = bad
        expect_refusal(IntensityError, save(tmp_path / "ct.nii.gz", hu), "not numbers", **options)

    @pytest.mark.parametrize("high", [255, 1])
    def test_picture(self, tmp_path, high):
        path = save(tmp_path / "ct.nii.gz", (np.abs(HU) % (high + 1)).astype(np.uint8))
        expect_refusal(IntensityError, path, f" to {high};", "--allow not-hu")
        assert read_ct(path, allow=["not-hu"]).array.max() == high

    def test_padding_is_replaced_and_said(self, tmp_path):
        hu = np.resize(HU, (20, 20, 20)).copy()
        hu[:5] = -3024
        volume = read_ct(save(tmp_path / "ct.nii.gz", hu))
        assert volume.repairs == ("2000 voxels outside the field of view, padded with -3024, were set to -1024.",)
        np.testing.assert_array_equal(volume.array, np.where(hu == -3024, -1024, hu))

    def test_nothing_but_padding(self, tmp_path):
        path = save(tmp_path / "ct.nii.gz", np.full((7, 6, 5), -2000, np.int16))
        expect_refusal(IntensityError, path, "nothing but padding", "in which something was measured")

    def test_stored_values_without_intercept(self, tmp_path):
        rng = np.random.default_rng(0)
        parts = [rng.normal(mean, 15, 8000) for mean in (-1000, -850, -100, 50)]
        hu = np.concatenate(parts).round().reshape(40, 40, 20).astype(np.int16)
        assert read_ct(save(tmp_path / "ct.nii.gz", hu)).repairs == ()
        path = save(tmp_path / "ct.nii.gz", hu + 1024)
        expect_refusal(IntensityError, path, "shifted", "soft tissue near 9", "rescale intercept", "--allow not-hu")
        np.testing.assert_array_equal(read_ct(path, allow=["not-hu"]).array, hu + 1024)

    def test_soft_tissue_crop_passes(self, tmp_path):
        clipped = np.clip(HU, -40, 200)
        np.testing.assert_array_equal(read_ct(save(tmp_path / "ct.nii.gz", clipped)).array, clipped)

"""NIfTI headers of every kind, written byte by byte: read exactly or refused."""

import gzip
import tracemalloc

import nibabel as nib
import numpy as np
import pytest

from transforms.errors import CTError, GeometryError, UnreadableError
from transforms.reading import read_ct
from transforms.reading.nifti import plan_nifti, read_nifti

AFFINE = np.array([[-0.7, 0, 0, 30.0], [0, -0.8, 0, -20.0], [0, 0, 2.5, 100.0], [0, 0, 0, 1]])
HU = np.random.default_rng(0).integers(-1000, 1500, (7, 6, 5)).astype(np.int16)
QFORM_ONLY = {"sform_code": 0}
SFORM_ONLY = {"qform_code": 0}


def write(path, array=HU, *, affine=AFFINE, version=1, endian="<", extension=b"", **fields):
    """A file with these header fields, whether they make sense or not; a field of a list by `name=(index, value)`."""
    header = {1: nib.Nifti1Header, 2: nib.Nifti2Header}[version](endianness=endian)
    header.set_data_shape(array.shape)
    header.set_data_dtype(array.dtype)
    header.set_xyzt_units("mm")
    header.set_qform(affine, 1)
    header.set_sform(affine, 1)
    header["magic"] = {1: b"n+1", 2: b"n+2"}[version]
    header["scl_slope"] = 1
    header["vox_offset"] = header["sizeof_hdr"] + 4 + len(extension)
    for name, value in fields.items():
        if isinstance(value, tuple):
            header[name][value[0]] = value[1]
        else:
            header[name] = value
    stored = array.astype(array.dtype.newbyteorder(endian)).tobytes(order="F")
    marker = bytes([bool(extension), 0, 0, 0])
    content = header.binaryblock + marker + extension + stored
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def expect_refusal(kind, path, *parts, **options):
    with pytest.raises(kind) as caught:
        read_ct(path, **options)
    assert caught.value.remedy
    for part in (str(path), *parts):
        assert part in str(caught.value)
    with pytest.raises(kind):
        plan_nifti(path)


class TestStorage:
    @pytest.mark.parametrize("version", [1, 2])
    @pytest.mark.parametrize("endian", ["<", ">"])
    @pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
    def test_every_type_is_read_exactly(self, tmp_path, kind, endian, version):
        least, most = (-128, 127) if kind == "i1" else (0, 255) if kind == "u1" else (0, 2000)
        values = np.random.default_rng(0).integers(least, most, HU.shape).astype(kind)
        volume = read_nifti(write(tmp_path / "ct.nii", values, endian=endian, version=version), smallest=True)
        assert volume.array.dtype == np.int16
        np.testing.assert_array_equal(volume.array, values)
        np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)

    @pytest.mark.parametrize(("kind", "value"), [("u2", 40000), ("i4", 100_000), ("i8", -40_000), ("f4", 0.5)])
    def test_one_value_that_int16_does_not_hold_makes_it_float(self, tmp_path, kind, value):
        values = np.resize(HU % 900, (40, 80, 100)).astype(kind)  # several pieces; the value is in the last
        values[-1, -1, -1] = value
        volume = read_nifti(write(tmp_path / "ct.nii", values), smallest=True)
        assert volume.array.dtype == np.float32
        np.testing.assert_array_equal(volume.array, values)

    @pytest.mark.parametrize("smallest", [True, False])
    def test_the_type_asked_for_is_given(self, tmp_path, smallest):
        volume = read_nifti(write(tmp_path / "ct.nii"), smallest=smallest)
        assert volume.array.dtype == (np.int16 if smallest else np.float32)
        np.testing.assert_array_equal(volume.array, HU)

    def test_the_content_decides_what_is_packed(self, tmp_path):
        packed = write(tmp_path / "ct.nii.gz")
        np.testing.assert_array_equal(read_ct(packed.rename(tmp_path / "packed.nii")).array, HU)
        plain = write(tmp_path / "ct.nii")
        np.testing.assert_array_equal(read_ct(plain.rename(tmp_path / "plain.nii.gz")).array, HU)

    def test_extensions_are_passed_over(self, tmp_path):
        extension = np.array([32, 6], "<i4").tobytes() + b"a comment of 24 bytes..."
        np.testing.assert_array_equal(read_ct(write(tmp_path / "ct.nii.gz", extension=extension)).array, HU)

    @pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz"])
    def test_an_offset_of_0_is_the_standards_default(self, tmp_path, name):
        np.testing.assert_array_equal(read_ct(write(tmp_path / name, vox_offset=0)).array, HU)

    @pytest.mark.parametrize("offset", [348, 351.5, -352, 1e30, np.nan, np.inf])
    @pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz"])
    def test_absurd_offsets(self, tmp_path, name, offset):
        expect_refusal(UnreadableError, write(tmp_path / name, vox_offset=offset))

    @pytest.mark.parametrize("code", [32, 1792, 128, 2304, 1536], ids=["c8", "c16", "RGB", "RGBA", "128 bits"])
    def test_types_without_hu(self, tmp_path, code):
        expect_refusal(UnreadableError, write(tmp_path / "ct.nii", datatype=code), "not numbers on one scale")

    def test_unknown_type(self, tmp_path):
        expect_refusal(UnreadableError, write(tmp_path / "ct.nii", datatype=77), "datatype 77")

    @pytest.mark.parametrize("magic", [b"ni1", b"n+3", b""])
    def test_other_magic(self, tmp_path, magic):
        expect_refusal(UnreadableError, write(tmp_path / "ct.nii", magic=magic), "not a NIfTI volume")

    def test_pairs_of_header_and_image_are_refused_with_a_remedy(self, tmp_path):
        nib.save(nib.Nifti1Pair(HU, AFFINE), tmp_path / "ct.hdr")
        for name in ("ct.hdr", "ct.img"):
            with pytest.raises(UnreadableError, match="Convert it to one of these"):
                read_ct(tmp_path / name)
        (tmp_path / "ct.hdr").rename(tmp_path / "ct.nii")
        expect_refusal(UnreadableError, tmp_path / "ct.nii", "half of a pair", "Convert the pair to one .nii.gz")


class TestScaling:
    @pytest.mark.parametrize(("slope", "inter"), [(0, 0), (0, -1024), (np.nan, 0), (np.nan, np.nan), (1, 0)])
    def test_none(self, tmp_path, slope, inter):
        volume = read_ct(write(tmp_path / "ct.nii", scl_slope=slope, scl_inter=inter))
        assert volume.array.dtype == np.int16
        np.testing.assert_array_equal(volume.array, HU)

    @pytest.mark.parametrize(
        ("slope", "inter", "dtype"), [(1, -24, np.int16), (2, 3, np.int16), (-1, 0, np.int16), (0.5, 0.25, np.float32)]
    )
    def test_is_applied(self, tmp_path, slope, inter, dtype):
        volume = read_ct(write(tmp_path / "ct.nii", scl_slope=slope, scl_inter=inter))
        assert volume.array.dtype == dtype
        np.testing.assert_array_equal(volume.array, HU * slope + inter)

    @pytest.mark.parametrize(("slope", "inter"), [(np.inf, 0), (1, np.nan), (1, -np.inf)])
    def test_is_refused(self, tmp_path, slope, inter):
        expect_refusal(UnreadableError, write(tmp_path / "ct.nii", scl_slope=slope, scl_inter=inter), "how to scale")


class TestShape:
    @pytest.mark.parametrize("extra", [(1,), (1, 1), (1, 1, 1, 1)])
    def test_trailing_axes_of_one_are_dropped(self, tmp_path, extra):
        assert read_ct(write(tmp_path / "ct.nii", HU.reshape(*HU.shape, *extra))).array.shape == HU.shape

    def test_a_single_slice_is_a_volume(self, tmp_path):
        assert read_ct(write(tmp_path / "ct.nii", HU[:, :, :1])).array.shape == (7, 6, 1)

    @pytest.mark.parametrize(
        ("shape", "found"),
        [((7, 6), "7 x 6"), ((7, 6, 5, 2), "7 x 6 x 5 x 2"), ((7, 6, 5, 1, 3), "7 x 6 x 5 x 1 x 3")],
        ids=["two axes", "time points", "vectors"],
    )
    def test_what_is_no_volume(self, tmp_path, shape, found):
        expect_refusal(GeometryError, write(tmp_path / "ct.nii", np.resize(HU, shape)), found, "Split it")

    @pytest.mark.parametrize("dim", [(1, 0), (2, -6), (3, -32768), (0, 0), (0, 8), (0, -1), (0, 30000)])
    def test_absurd_axes(self, tmp_path, dim):
        expect_refusal(GeometryError, write(tmp_path / "ct.nii", dim=dim), "one volume")

    @pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz"])
    @pytest.mark.parametrize(("version", "edge"), [(1, 32767), (2, 1 << 40)])
    def test_terabytes_in_a_small_file_are_refused_without_allocating_them(self, tmp_path, name, version, edge):
        path = write(tmp_path / name, version=version, dim=(slice(1, 4), edge))
        tracemalloc.start()
        expect_refusal(UnreadableError, path, "shorter than its header says", "Copy or convert")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1 << 22

    @pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz"])
    def test_more_voxels_than_the_header_says(self, tmp_path, name):
        path = write(tmp_path / name, np.resize(HU, (30, 30, 30)), dim=(3, 25))
        with pytest.raises(UnreadableError, match=r"longer than its header says \(found 9000 bytes"):
            read_ct(path)

    def test_a_file_filled_up_to_a_block_is_read(self, tmp_path):
        path = write(tmp_path / "ct.nii")
        path.write_bytes(path.read_bytes() + bytes(512))
        np.testing.assert_array_equal(read_ct(path).array, HU)


class TestPlace:
    @pytest.mark.parametrize("form", [QFORM_ONLY, SFORM_ONLY, {}], ids=["qform", "sform", "both"])
    @pytest.mark.parametrize(
        "axes",
        [np.diag([-1.0, -1, 1]), np.eye(3), np.diag([1.0, 1, -1]), np.eye(3)[[2, 0, 1]], np.eye(3)[[1, 0, 2]]],
        ids=["LPS", "RAS", "left-handed", "turned", "turned and mirrored"],
    )
    def test_either_form_gives_the_affine(self, tmp_path, form, axes):
        affine = np.eye(4)
        affine[:3, :3], affine[:3, 3] = axes * [0.7, 0.8, 2.5], [30, -20, 100]
        volume = read_ct(write(tmp_path / "ct.nii", affine=affine, **form))
        np.testing.assert_allclose(volume.affine, affine, atol=1e-5)
        assert volume.repairs == ()

    def test_a_factor_of_0_for_the_third_axis_is_the_standards_default(self, tmp_path):
        affine = np.diag([0.7, 0.8, 2.5, 1])
        volume = read_ct(write(tmp_path / "ct.nii", affine=affine, pixdim=(0, 0), **QFORM_ONLY))
        np.testing.assert_allclose(volume.affine, affine, atol=1e-6)

    def test_neither_form(self, tmp_path):
        expect_refusal(GeometryError, write(tmp_path / "ct.nii", qform_code=0, sform_code=0), "which side is left")

    @pytest.mark.parametrize("code", [-1, 6, 500])
    @pytest.mark.parametrize("name", ["qform_code", "sform_code"])
    def test_unknown_code(self, tmp_path, name, code):
        expect_refusal(GeometryError, write(tmp_path / "ct.nii", **{name: code}), f"{name} {code}")

    @pytest.mark.parametrize("shift", [0.09, -0.09])
    def test_forms_that_differ_by_rounding_agree(self, tmp_path, shift):
        volume = read_ct(write(tmp_path / "ct.nii", qoffset_x=30 + shift))
        np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)  # the sform's

    @pytest.mark.parametrize(
        ("fields", "apart"),
        [
            ({"qoffset_x": 30.2}, "0.2 mm"),
            ({"pixdim": (3, 2.6)}, "0.4 mm"),
            ({"pixdim": (0, 1 - 2)}, "20 mm"),
            ({"qoffset_z": np.nan}, "nan mm"),
        ],
        ids=["moved", "other spacing", "mirrored", "not a number"],
    )
    def test_forms_that_contradict_each_other(self, tmp_path, fields, apart):
        path = write(tmp_path / "ct.nii", **fields)
        expect_refusal(GeometryError, path, "contradict", f"corners {apart} apart", "at most 0.1 mm")

    @pytest.mark.parametrize("fields", [{"pixdim": (1, -0.7)}, {"quatern_b": 3.0}, {"pixdim": (0, 0.5)}])
    def test_a_qform_that_is_no_rotation(self, tmp_path, fields):
        expect_refusal(GeometryError, write(tmp_path / "ct.nii", **fields, **QFORM_ONLY), "not a rotation")

    @pytest.mark.parametrize(
        ("fields", "finding"),
        [
            ({"srow_x": np.zeros(4)}, "voxel size is impossible"),
            ({"srow_x": [np.nan] * 4}, "not numbers"),
            ({"srow_z": (3, np.inf)}, "not numbers"),
            ({"srow_y": [-0.7, 0, 0, 0]}, "voxel size is impossible"),
            ({"srow_y": [0, -0.8, 0.4, 0]}, "not perpendicular"),
            ({"srow_z": [0, 0, 250, 0]}, "voxel size is impossible"),
        ],
        ids=["zero", "NaN", "infinite", "singular", "shear", "huge"],
    )
    def test_a_broken_sform(self, tmp_path, fields, finding):
        expect_refusal(GeometryError, write(tmp_path / "ct.nii", **fields, **SFORM_ONLY), finding)

    def test_a_qform_without_voxel_size(self, tmp_path):
        path = write(tmp_path / "ct.nii", pixdim=(slice(1, 4), 0), **QFORM_ONLY)
        expect_refusal(GeometryError, path, "voxel size is impossible", "0 x 0 x 0 mm")

    @pytest.mark.parametrize("angle", [0.04, -0.04])
    def test_axes_nearly_perpendicular_are_kept_as_they_are(self, tmp_path, angle):
        affine = AFFINE.copy()
        affine[1, 2] = 2.5 * np.sin(np.radians(angle))
        volume = read_ct(write(tmp_path / "ct.nii", srow_y=affine[1], **SFORM_ONLY))
        np.testing.assert_allclose(volume.affine, affine, atol=1e-6)

    def test_pixdim_that_contradicts_the_sform(self, tmp_path):
        path = write(tmp_path / "ct.nii", pixdim=(3, 5), **SFORM_ONLY)
        expect_refusal(GeometryError, path, "sform and pixdim contradict", "0.7 x 0.8 x 5 beside 0.7 x 0.8 x 2.5")

    @pytest.mark.parametrize("value", [0, 1])
    def test_pixdim_that_was_never_filled_in_is_said(self, tmp_path, value):
        volume = read_ct(write(tmp_path / "ct.nii", pixdim=(slice(1, 4), value), **SFORM_ONLY))
        np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)
        assert volume.repairs == ("The header's pixdim is not filled in: the voxel size is that of the sform.",)

    def test_pixdim_may_be_rounded(self, tmp_path):
        assert read_ct(write(tmp_path / "ct.nii", pixdim=(1, 0.703), **SFORM_ONLY)).repairs == ()


class TestUnits:
    @pytest.mark.parametrize(("code", "factor", "word"), [(1, 1e-3, "metres"), (3, 1e3, "micrometres")])
    @pytest.mark.parametrize("form", [QFORM_ONLY, SFORM_ONLY, {}], ids=["qform", "sform", "both"])
    def test_others_are_converted_and_said(self, tmp_path, form, code, factor, word):
        affine = AFFINE * np.array([[factor], [factor], [factor], [1]])
        volume = read_ct(write(tmp_path / "ct.nii", affine=affine, xyzt_units=code + 8, **form))
        np.testing.assert_allclose(volume.affine, AFFINE, rtol=1e-5, atol=1e-5)
        assert volume.repairs == (f"The header's lengths are in {word}: they were converted to millimetres.",)

    @pytest.mark.parametrize("code", [0, 5, 8])
    def test_unnamed_ones_are_millimetres_and_said(self, tmp_path, code):
        volume = read_ct(write(tmp_path / "ct.nii", xyzt_units=code))
        np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)
        assert volume.repairs == ("The header does not name the unit of its lengths: they were taken as millimetres.",)

    @pytest.mark.parametrize(("code", "factor"), [(0, 1e-3), (0, 1e3), (1, 1), (3, 1)])
    def test_lengths_that_are_none_of_a_patient(self, tmp_path, code, factor):
        affine = AFFINE * np.array([[factor], [factor], [factor], [1]])
        path = write(tmp_path / "ct.nii", affine=affine, xyzt_units=code)
        expect_refusal(GeometryError, path, "voxel size is impossible")


@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz"])
def test_a_file_cut_anywhere_is_refused(tmp_path, name):
    content = write(tmp_path / name).read_bytes()
    for length in range(1, len(content), 3):
        (tmp_path / name).write_bytes(content[:length])
        with pytest.raises(CTError):
            read_ct(tmp_path / name)


def test_a_whole_packed_file_with_too_few_voxels_is_refused(tmp_path):
    content = write(tmp_path / "ct.nii").read_bytes()
    (tmp_path / "ct.nii.gz").write_bytes(gzip.compress(content[:-2]))
    with pytest.raises(UnreadableError, match="cut short"):
        read_ct(tmp_path / "ct.nii.gz")


@pytest.mark.parametrize("version", [1, 2])
def test_a_changed_byte_in_a_packed_file_never_changes_values_silently(tmp_path, version):
    path = write(tmp_path / "ct.nii.gz", version=version)
    content = path.read_bytes()
    for place in range(0, len(content), 3):
        changed = bytearray(content)
        changed[place] ^= 0x55
        path.write_bytes(changed)
        try:
            volume = read_ct(path)
        except CTError:
            continue
        np.testing.assert_array_equal(volume.array, HU)


def test_changed_headers_end_in_the_family(tmp_path):
    path = write(tmp_path / "ct.nii")
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(400):
        changed = bytearray(content)
        for place in rng.integers(0, 352, rng.integers(1, 4)):
            changed[place] = rng.integers(0, 256)
        path.write_bytes(changed)
        try:
            outcomes.add(type(read_ct(path, allow=["not-hu"])))
        except CTError as error:
            outcomes.add(type(error))
    assert len(outcomes) >= 3

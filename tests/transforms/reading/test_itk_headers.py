"""NRRD and MetaImage headers of every kind: read exactly or refused, also where ITK says nothing."""

import gzip
import tracemalloc
import zlib

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from transforms.errors import CTError, GeometryError, UnreadableError
from transforms.reading import read_ct
from transforms.reading.itk_files import plan_itk, read_itk

HU = np.random.default_rng(0).integers(-1000, 1500, (7, 6, 5)).astype(np.int16)
AFFINE = np.array([[-0.7, 0, 0, -1], [0, -0.8, 0, -2], [0, 0, 2.5, 3], [0, 0, 0, 1]])

NRRD = {
    "type": "short",
    "dimension": "3",
    "space": "left-posterior-superior",
    "sizes": "7 6 5",
    "space directions": "(0.7,0,0) (0,0.8,0) (0,0,2.5)",
    "kinds": "domain domain domain",
    "endian": "little",
    "encoding": "raw",
    "space origin": "(1,2,3)",
}
META = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1",
    "Offset": "1 2 3",
    "CenterOfRotation": "0 0 0",
    "AnatomicalOrientation": "RAI",
    "ElementSpacing": "0.7 0.8 2.5",
    "DimSize": "7 6 5",
    "ElementType": "MET_SHORT",
    "ElementDataFile": "LOCAL",
}
ENDINGS = (".nrrd", ".mha")


def write(path, data=None, **changes):
    """A file with these lines; `None` leaves one out, names are given with `_` for a space."""
    nrrd = path.suffix in (".nrrd", ".nhdr")
    lines = {**(NRRD if nrrd else META), **{name.replace("_", " "): value for name, value in changes.items()}}
    if not nrrd:
        lines["ElementDataFile"] = lines.pop("ElementDataFile")  # the last one
    text = "".join(f"{name}{': ' if nrrd else ' = '}{value}\n" for name, value in lines.items() if value is not None)
    head = ("NRRD0005\n# a comment\n" + text + "\n") if nrrd else text
    path.write_bytes(head.encode() + (HU.tobytes(order="F") if data is None else data))
    return path


def expect_refusal(kind, path, *parts):
    with pytest.raises(kind) as caught:
        read_ct(path)
    assert caught.value.remedy
    for part in (str(path), *parts):
        assert part in str(caught.value)


def expect_exact(path, values=HU, affine=AFFINE):
    volume = read_itk(path, smallest=True)
    np.testing.assert_array_equal(volume.array, values)
    np.testing.assert_allclose(volume.affine, affine, atol=1e-6)
    assert plan_itk(path).shape == values.shape


class TestStorage:
    @pytest.mark.parametrize("ending", [".nrrd", ".mha", ".mhd"])
    @pytest.mark.parametrize("packed", [False, True])
    @pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
    def test_what_itk_writes_is_read_exactly(self, tmp_path, ending, packed, kind):
        values = np.random.default_rng(0).integers(0, 100, HU.shape).astype(kind)
        image = sitk.GetImageFromArray(values.T)
        sitk.WriteImage(image, str(tmp_path / f"ct{ending}"), packed)
        expect_exact(tmp_path / f"ct{ending}", values, np.diag([-1.0, -1, 1, 1]))

    @pytest.mark.parametrize(
        ("name", "lines"),
        [
            ("ct.nrrd", {"endian": "big"}),
            ("ct.mha", {"BinaryDataByteOrderMSB": "True"}),
            ("ct.mha", {"BinaryDataByteOrderMSB": None, "ElementByteOrderMSB": "True"}),
        ],
    )
    def test_big_endian(self, tmp_path, name, lines):
        expect_exact(write(tmp_path / name, HU.astype(">i2").tobytes(order="F"), **lines))

    @pytest.mark.parametrize(("name", "line"), [("ct.nrrd", "endian"), ("ct.mha", "BinaryDataByteOrderMSB")])
    def test_an_unknown_byte_order_is_no_guess(self, tmp_path, name, line):
        with pytest.raises(UnreadableError):
            read_ct(write(tmp_path / name, **{line: None}))

    @pytest.mark.parametrize(
        ("name", "lines", "pack"),
        [
            ("ct.nrrd", {"encoding": "gzip"}, gzip.compress),
            ("ct.nrrd", {"encoding": "gz"}, gzip.compress),
            ("ct.mha", {"CompressedData": "True"}, zlib.compress),
            ("ct.mha", {"CompressedData": "True"}, gzip.compress),
        ],
    )
    def test_packed(self, tmp_path, name, lines, pack):
        expect_exact(write(tmp_path / name, pack(HU.tobytes(order="F")), **lines))

    @pytest.mark.parametrize(
        ("name", "lines"),
        [
            ("ct.nrrd", {"encoding": "ascii"}),
            ("ct.nrrd", {"encoding": "bzip2"}),
            ("ct.nrrd", {"byte skip": "-1"}),
            ("ct.mha", {"BinaryData": "False"}),
            ("ct.mha", {"HeaderSize": "-1"}),
            ("ct.mhd", {"ElementDataFile": "LIST"}),
            ("ct.mhd", {"ElementDataFile": "ct%03d.raw 1 5 1"}),
        ],
    )
    def test_ways_that_are_not_read_are_refused_with_a_remedy(self, tmp_path, name, lines):
        expect_refusal(UnreadableError, write(tmp_path / name, **lines))

    @pytest.mark.parametrize("name", ["ct.mha", "ct.nrrd"])
    def test_lines_may_end_in_carriage_returns(self, tmp_path, name):
        path = write(tmp_path / name, b"")
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + HU.tobytes(order="F"))
        expect_exact(path)


class TestDetached:
    def test_beside_the_header(self, tmp_path):
        (tmp_path / "ct.raw").write_bytes(HU.tobytes(order="F"))
        expect_exact(write(tmp_path / "ct.mhd", b"", ElementDataFile="ct.raw"))
        expect_exact(write(tmp_path / "ct.nrrd", b"", data_file="ct.raw"))

    def test_packed(self, tmp_path):
        (tmp_path / "ct.zraw").write_bytes(zlib.compress(HU.tobytes(order="F")))
        expect_exact(write(tmp_path / "ct.mhd", b"", ElementDataFile="ct.zraw", CompressedData="True"))

    @pytest.mark.parametrize("kept", [0, 200, 419])
    def test_cut_short(self, tmp_path, kept):
        (tmp_path / "ct.raw").write_bytes(HU.tobytes(order="F")[:kept])
        write(tmp_path / "ct.mhd", b"", ElementDataFile="ct.raw")
        with pytest.raises(UnreadableError, match=rf"ct\.raw: .*shorter than its header says \(found {kept} bytes"):
            read_ct(tmp_path / "ct.mhd")

    def test_missing(self, tmp_path):
        expect_refusal(
            UnreadableError, write(tmp_path / "ct.mhd", b"", ElementDataFile="ct.raw"), "no ct.raw", "Copy both"
        )

    @pytest.mark.parametrize("absolute", [True, False])
    def test_in_another_folder(self, tmp_path, absolute):
        (tmp_path / "secret.raw").write_bytes(HU.tobytes(order="F"))
        (tmp_path / "case").mkdir()
        name = str(tmp_path / "secret.raw") if absolute else "../secret.raw"
        path = write(tmp_path / "case/ct.mhd", b"", ElementDataFile=name)
        expect_refusal(UnreadableError, path, "voxels in another folder")


class TestPlace:
    @pytest.mark.parametrize(
        ("space", "signs"),
        [
            ("left-posterior-superior", (-1, -1, 1)),
            ("LPS", (-1, -1, 1)),
            ("right-anterior-superior", (1, 1, 1)),
            ("RAS", (1, 1, 1)),
            ("left-anterior-superior", (-1, 1, 1)),
        ],
    )
    def test_spaces_of_nrrd(self, tmp_path, space, signs):
        affine = np.diag([*signs, 1.0]) @ np.array([[0.7, 0, 0, 1], [0, 0.8, 0, 2], [0, 0, 2.5, 3], [0, 0, 0, 1]])
        expect_exact(write(tmp_path / "ct.nrrd", space=space), affine=affine)

    @pytest.mark.parametrize("space", ["scanner-xyz", "3D-right-handed", "3D-left-handed"])
    def test_spaces_that_itk_takes_for_its_own_are_refused(self, tmp_path, space):
        expect_refusal(GeometryError, write(tmp_path / "ct.nrrd", space=space), f"space {space}", "left-posterior")

    def test_oblique_and_left_handed_directions(self, tmp_path):
        directions = "(0,0.8,0) (0.56,0,0.42) (-1.5,0,2)"
        affine = np.array([[0, -0.56, 1.5, -1], [-0.8, 0, 0, -2], [0, 0.42, 2, 3], [0, 0, 0, 1]])
        expect_exact(write(tmp_path / "ct.nrrd", space_directions=directions), affine=affine)
        matrix = "0 1 0 0.8 0 0.6 -0.6 0 0.8"
        path = write(tmp_path / "ct.mha", TransformMatrix=matrix, ElementSpacing="0.8 0.7 2.5")
        expect_exact(path, affine=affine)

    @pytest.mark.parametrize(
        ("name", "line"),
        [
            ("ct.nrrd", "space origin"),
            ("ct.nrrd", "space directions"),
            ("ct.mha", "Offset"),
            ("ct.mha", "ElementSpacing"),
            ("ct.mha", "TransformMatrix"),
        ],
    )
    def test_a_missing_line_is_no_identity(self, tmp_path, name, line):
        expect_refusal(GeometryError, write(tmp_path / name, **{line: None}), "does not say where", f"no {line}")

    @pytest.mark.parametrize(
        ("name", "lines"), [("ct.nrrd", {"space units": '"m" "m" "m"'}), ("ct.mha", {"DistanceUnits": "um"})]
    )
    def test_units_that_itk_passes_over_are_refused(self, tmp_path, name, lines):
        expect_refusal(GeometryError, write(tmp_path / name, **lines), "terms", "millimetres")

    @pytest.mark.parametrize(
        ("name", "lines"), [("ct.nrrd", {"space units": '"mm" "mm" "mm"'}), ("ct.mha", {"DistanceUnits": "mm"})]
    )
    def test_millimetres_may_be_named(self, tmp_path, name, lines):
        expect_exact(write(tmp_path / name, **lines))

    @pytest.mark.parametrize(
        ("name", "lines", "finding"),
        [
            ("ct.nrrd", {"space directions": "(0.7,0,0) (0,0.8,0) (0,0.4,2.5)"}, ""),
            ("ct.nrrd", {"space directions": "(0.7,0,0) (0,0.8,0) (0,0,0)"}, ""),
            ("ct.nrrd", {"space directions": "(0.7,0,0) (0,0.8,0) (0,0,nan)"}, ""),
            ("ct.mha", {"TransformMatrix": "1 0 0 0 1 0 0 0.2 0.98"}, "not perpendicular"),
            ("ct.mha", {"TransformMatrix": "1 0 0 0 1 0 0 0 0"}, ""),
            ("ct.mha", {"ElementSpacing": "0.7 0.8 0"}, ""),
            ("ct.mha", {"ElementSpacing": "0.7 0.8 250"}, "voxel size is impossible"),
        ],
    )
    def test_directions_that_cannot_be(self, tmp_path, name, lines, finding):
        expect_refusal((GeometryError, UnreadableError), write(tmp_path / name, **lines), finding)


class TestShape:
    def test_vectors(self, tmp_path):
        path = write(tmp_path / "ct.mha", HU.tobytes() * 3, ElementNumberOfChannels="3")
        expect_refusal(GeometryError, path, "3 value(s) a voxel", "Split it")
        image = sitk.GetImageFromArray(np.stack([HU.T] * 2, -1), isVector=True)
        sitk.WriteImage(image, str(tmp_path / "ct.nrrd"))
        expect_refusal(GeometryError, tmp_path / "ct.nrrd", "2 value(s) a voxel")

    def test_time_points(self, tmp_path):
        image = sitk.JoinSeries([sitk.GetImageFromArray(HU.T)] * 2)
        sitk.WriteImage(image, str(tmp_path / "ct.mha"))
        expect_refusal(GeometryError, tmp_path / "ct.mha", "7 x 6 x 5 x 2")

    @pytest.mark.parametrize(
        ("name", "lines"), [("ct.nrrd", {"sizes": "70000 60000 500"}), ("ct.mha", {"DimSize": "70000 60000 500"})]
    )
    def test_terabytes_in_a_small_file_are_refused_without_allocating_them(self, tmp_path, name, lines):
        path = write(tmp_path / name, **lines)
        tracemalloc.start()
        expect_refusal(UnreadableError, path, "shorter than its header says")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1 << 23

    @pytest.mark.parametrize(
        ("name", "lines"), [("ct.nrrd", {"sizes": "30 30 25"}), ("ct.mha", {"DimSize": "30 30 25"})]
    )
    def test_more_voxels_than_the_header_says(self, tmp_path, name, lines):
        path = write(tmp_path / name, np.resize(HU, (30, 30, 30)).tobytes(), **lines)
        expect_refusal(UnreadableError, path, "longer than its header says", "9000 bytes")


PACKED = {
    ".nrrd": ({"encoding": "gzip"}, gzip.compress),
    ".mha": ({"CompressedData": "True"}, zlib.compress),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_cut_anywhere_is_refused(tmp_path, ending, packed):
    lines, pack = PACKED[ending] if packed else ({}, bytes)
    path = write(tmp_path / f"ct{ending}", pack(HU.tobytes(order="F")), **lines)
    content = path.read_bytes()
    for length in (*range(1, len(content), 11), *range(len(content) - 12, len(content))):
        path.write_bytes(content[:length])
        with pytest.raises(CTError):
            read_ct(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_whole_packed_file_with_too_few_voxels_is_refused(tmp_path, ending):
    lines, pack = PACKED[ending]
    path = write(tmp_path / f"ct{ending}", pack(HU.tobytes(order="F")[:-2]), **lines)
    expect_refusal(UnreadableError, path, "cut short")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_changed_byte_in_packed_voxels_never_changes_values_silently(tmp_path, ending):
    lines, pack = PACKED[ending]
    packed = pack(HU.tobytes(order="F"))
    path = write(tmp_path / f"ct{ending}", packed, **lines)
    content = path.read_bytes()
    for place in range(len(content) - len(packed), len(content), 3):
        changed = bytearray(content)
        changed[place] ^= 0x55
        path.write_bytes(changed)
        try:
            volume = read_ct(path)
        except CTError:
            continue
        np.testing.assert_array_equal(volume.array, HU)

"""Zip archives of DICOM folders."""

import errno
import stat
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest

from transforms.errors import SeriesError, UnreadableError
from transforms.reading import archive, open_source, read_ct


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory, monkeypatch):
    """A temporary folder of one's own, in which nothing must be left, whatever happens."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def zipped(dicom_series, tmp_path):
    series = dicom_series("patient/series")
    path = tmp_path / "study.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for file in sorted(series.write().iterdir()):
            opened.write(file, f"patient/series/{file.name}")
        opened.writestr("__MACOSX/patient/series/._a.dcm", b"")
    return series, path


def expect_refusal(path, *parts):
    with pytest.raises(UnreadableError) as caught:
        read_ct(path)
    for part in (str(path), *parts, "Unpack it yourself"):
        assert part in str(caught.value)


def test_same_volume_as_the_folder(zipped):
    series, path = zipped
    ours, folder = read_ct(path), read_ct(series.folder)
    np.testing.assert_array_equal(ours.array, folder.array)
    np.testing.assert_array_equal(ours.affine, folder.affine)
    assert ours.repairs == folder.repairs == ()
    assert [Path(name).name for name in ours.source_files] == [Path(name).name for name in folder.source_files]


def test_the_array_outlives_the_unpacked_files(zipped, temporary):
    volume = read_ct(zipped[1])
    assert list(temporary.iterdir()) == []
    volume.array[0, 0, 0] += 1  # the array owns its memory


def test_sources_can_be_opened_again(zipped):
    series, path = zipped
    for volume in (read_ct(path), read_ct(series.folder)):
        with open_source(volume.source_files[0]) as file:
            assert pydicom.dcmread(file).SOPInstanceUID == series.slices[0].SOPInstanceUID
    with pytest.raises(UnreadableError, match="source file"), open_source(str(path / "none.dcm")):
        pass


@pytest.mark.parametrize("name", ["../evil.dcm", "a/../../evil.dcm", "/evil.dcm", "..\\evil.dcm", "C:\\evil.dcm"])
def test_members_stay_inside(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as opened:
        opened.writestr(name, b"x")
    expect_refusal(tmp_path / "study.zip", "outside of the archive", "evil.dcm")
    assert not list(tmp_path.parent.rglob("evil.dcm"))


def test_links_are_refused(tmp_path):
    link = zipfile.ZipInfo("link.dcm")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as opened:
        opened.writestr(link, "/etc/passwd")
    expect_refusal(tmp_path / "study.zip", "holds a link", "link.dcm")


def test_declared_size_and_number_are_bounded(zipped, monkeypatch):
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 1000)
    expect_refusal(zipped[1], "too large", "at most")
    monkeypatch.undo()
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    expect_refusal(zipped[1], "too large", "6 files")


def test_actual_size_is_bounded(tmp_path):
    with pytest.raises(archive._TooMuchError), (tmp_path / "out").open("wb") as target:
        archive._copy(_Endless(), target, 5_000_000)
    assert (tmp_path / "out").stat().st_size <= 5_000_000


class _Endless:
    def read(self, size):
        return bytes(size)


def test_corrupt_archive(zipped, tmp_path):
    content = zipped[1].read_bytes()
    (tmp_path / "cut.zip").write_bytes(content[: len(content) // 2])
    expect_refusal(tmp_path / "cut.zip", "corrupt")
    damaged = bytearray(content)
    damaged[200:230] = bytes(30)
    (tmp_path / "damaged.zip").write_bytes(bytes(damaged))
    expect_refusal(tmp_path / "damaged.zip", "corrupt")
    (tmp_path / "text.zip").write_text("no archive")
    expect_refusal(tmp_path / "text.zip", "corrupt")


def test_archive_without_ct(tmp_path):
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as opened:
        opened.writestr("notes.txt", b"notes")
    with pytest.raises(SeriesError, match=r"study\.zip: there is no CT series"):
        read_ct(tmp_path / "study.zip")


def test_a_declared_size_of_100_gb(tmp_path):
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as opened:
        opened.writestr("a.dcm", b"x")
        opened.infolist()[0].file_size = 100 << 30  # what the directory at the end says
    expect_refusal(tmp_path / "study.zip", "too large", "107374182400 bytes", str(archive.SMALL_BYTES))


def test_a_declared_size_that_is_too_small(tmp_path):
    with zipfile.ZipFile(tmp_path / "study.zip", "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("a.dcm", bytes(100_000))
        opened.infolist()[0].file_size = 10
    expect_refusal(tmp_path / "study.zip", "corrupt", "a.dcm")


def test_what_unpacks_to_far_more_than_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "SMALL_BYTES", 100_000)
    with zipfile.ZipFile(tmp_path / "study.zip", "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("a.dcm", bytes(1_000_000))
    size = (tmp_path / "study.zip").stat().st_size
    expect_refusal(tmp_path / "study.zip", "too large", "1000000 bytes", f"and {max(100_000, 100 * size)} bytes")


def test_encrypted_members(tmp_path):
    path = tmp_path / "study.zip"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("a.dcm", b"x")
        opened.infolist()[0].flag_bits |= 1
    expect_refusal(path, "is encrypted", "a.dcm")


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2])
def test_other_packings(dicom_series, tmp_path, packing):
    series = dicom_series()
    with zipfile.ZipFile(tmp_path / "study.zip", "w", packing) as opened:
        for file in series.write().iterdir():
            opened.write(file, file.name)
    np.testing.assert_array_equal(read_ct(tmp_path / "study.zip").array, series.hu)


def test_packing_that_asks_for_memory_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "study.zip", "w", zipfile.ZIP_LZMA) as opened:
        opened.writestr("a.dcm", b"x" * 1000)
    expect_refusal(tmp_path / "study.zip", "in a way that is not read", "a.dcm")


def test_a_name_in_the_archive_that_its_directory_does_not_have(zipped):
    _, path = zipped
    path.write_bytes(path.read_bytes().replace(b"patient/series", b"../../../../..", 1))
    expect_refusal(path, "corrupt")


def test_members_that_share_their_place(zipped):
    _, path = zipped
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    while content[at : at + 4] == b"PK\x01\x02":
        content[at + 42 : at + 46] = bytes(4)  # all begin where the first does
        at += 46 + sum(int.from_bytes(content[at + place : at + place + 2], "little") for place in (28, 30, 32))
    path.write_bytes(content)
    expect_refusal(path, "corrupt")


def test_devices_are_written_as_plain_files(zipped, tmp_path):
    series, path = zipped
    special = tmp_path / "special.zip"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(special, "w") as new:
        for member in old.infolist():
            member.external_attr = (stat.S_IFCHR | 0o666) << 16
            new.writestr(member, old.read(member.filename))
    np.testing.assert_array_equal(read_ct(special).array, series.hu)


def test_a_changed_byte_is_found_by_its_checksum(zipped):
    path = zipped[1]
    with zipfile.ZipFile(path) as opened:
        member = opened.infolist()[2]
    content = bytearray(path.read_bytes())
    content[member.header_offset + 30 + len(member.filename) + member.compress_size // 2] ^= 0xFF
    path.write_bytes(content)
    expect_refusal(path, "corrupt", member.filename)


def test_two_members_of_one_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as opened:
        opened.writestr("a.dcm", b"x")
        with pytest.warns(UserWarning, match="Duplicate"):
            opened.writestr("a.dcm", b"y")
    expect_refusal(tmp_path / "study.zip", "two files of one name", "a.dcm")


def test_archives_in_an_archive(zipped, tmp_path):
    series, path = zipped
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as opened:
        opened.write(path, "study.zip")
    expect_refusal(tmp_path / "outer.zip", "nothing but archives", "study.zip")
    with zipfile.ZipFile(path, "a") as opened:
        opened.writestr("notes.zip", b"PK")
    volume = read_ct(path)
    np.testing.assert_array_equal(volume.array, series.hu)
    assert "1 not DICOM" in volume.repairs[0]


def test_names_that_are_not_utf_8(zipped, tmp_path):
    series, _ = zipped
    path = tmp_path / "latin.zip"
    with zipfile.ZipFile(path, "w") as opened:
        for file in sorted(series.folder.iterdir()):
            opened.write(file, f"sXrie/{file.name}")
    path.write_bytes(path.read_bytes().replace(b"sXrie", b"s\xe9rie"))
    volume = read_ct(path)
    np.testing.assert_array_equal(volume.array, series.hu)
    with open_source(volume.source_files[0]) as file:
        assert pydicom.dcmread(file).SOPInstanceUID == series.slices[0].SOPInstanceUID


def test_names_with_control_characters(tmp_path):
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as opened:
        opened.writestr("a\nERROR b.dcm", b"x")
    expect_refusal(tmp_path / "study.zip", "control characters", r"'a\nERROR b.dcm'")


def test_thousands_of_members(zipped):
    series, path = zipped
    with zipfile.ZipFile(path, "a") as opened:
        for number in range(3000):
            opened.writestr(f"notes/{number}.txt", b"notes")
    np.testing.assert_array_equal(read_ct(path).array, series.hu)


def test_a_full_temporary_folder(zipped, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archive, "_copy", full)
    expect_refusal(zipped[1], "no room", tempfile.gettempdir())


def test_an_error_while_reading_leaves_nothing(zipped, temporary):
    series, path = zipped
    with pytest.raises(RuntimeError), archive.unpacked(path) as files:  # noqa: PT012
        assert len(files) == len(series.slices)
        assert len(list(temporary.iterdir())) == 1
        raise RuntimeError

"""Zip archives of DICOM folders."""

import stat
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest

from transforms.errors import SeriesError, UnreadableError
from transforms.reading import archive, open_source, read_ct


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


def test_nothing_is_left_behind(zipped, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    volume = read_ct(zipped[1])
    volume.array[0, 0, 0] += 1  # the array owns its memory
    assert list((tmp_path / "temporary").iterdir()) == []


def test_sources_can_be_opened_again(zipped):
    series, path = zipped
    for volume in (read_ct(path), read_ct(series.folder)):
        with open_source(volume.source_files[0]) as file:
            assert pydicom.dcmread(file).SOPInstanceUID == series.slices[0].SOPInstanceUID
    with pytest.raises(UnreadableError, match="source file"), open_source(str(path / "none.dcm")):
        pass


@pytest.mark.parametrize("name", ["../evil.dcm", "a/../../evil.dcm", "/evil.dcm", "..\\evil.dcm"])
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
    with pytest.raises(UnreadableError, match="too large"), (tmp_path / "out").open("wb") as target:
        archive._copy(_Endless(), target, 5_000_000, tmp_path / "a.zip")
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

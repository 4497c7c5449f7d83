"""Deflated DICOM that would fill the memory."""

import zlib

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from transforms import deflated_dicom
from transforms.deflated_dicom import inflates_too_far

UID = DeflatedExplicitVRLittleEndian.encode()
ELEMENT = b"\x02\x00\x10\x00UI" + len(UID).to_bytes(2, "little") + UID
LENGTH = b"\x02\x00\x00\x00UL\x04\x00" + len(ELEMENT).to_bytes(4, "little")


@pytest.fixture
def deflated(tmp_path, monkeypatch):
    """A function that writes a file with so many bytes of nothing in it."""
    monkeypatch.setattr(deflated_dicom, "SMALL_BYTES", 500_000)

    def write(size, length=LENGTH):
        squeeze = zlib.compressobj(wbits=-15)
        content = squeeze.compress(bytes(size)) + squeeze.flush()
        (tmp_path / "a.dcm").write_bytes(bytes(128) + b"DICM" + length + ELEMENT + content)
        return tmp_path / "a.dcm"

    return write


@pytest.mark.parametrize(("size", "too_far"), [(499_000, False), (501_000, True), (5_000_000, True)])
def test_size_decides(deflated, size, too_far):
    assert inflates_too_far(deflated(size)) is too_far


def test_a_meta_header_without_end_is_refused(deflated):
    assert inflates_too_far(deflated(10, length=b""))


def test_other_files_are_left_alone(tmp_path):
    (tmp_path / "a.dcm").write_bytes(bytes(128) + b"DICM" + bytes(100))
    assert not inflates_too_far(tmp_path / "a.dcm")

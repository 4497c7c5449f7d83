"""Files whose headers claim more than there is."""

import tracemalloc

import pytest

from transforms.bounded_file import BoundedFile


@pytest.fixture
def opened(tmp_path):
    (tmp_path / "a").write_bytes(b"0123456789")
    with BoundedFile(tmp_path / "a") as file:
        yield file


def test_reads_as_any_file_does(opened):
    assert opened.read(3) == b"012"
    assert opened.tell() == 3
    assert opened.read() == b"3456789"
    assert opened.read(5) == b""
    opened.seek(8)
    assert opened.read(-1) == b"89"


def test_asks_for_no_more_memory_than_the_file_is_large(opened):
    tracemalloc.start()
    try:
        assert opened.read(1 << 30) == b"0123456789"
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()

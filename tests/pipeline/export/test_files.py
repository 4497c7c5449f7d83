import errno
import json

import pytest

from pipeline.export.files import make_folder, replacing, write_json
from transforms.errors import OutputError


def test_the_file_appears_whole_and_alone(tmp_path):
    target = tmp_path / "labels.nii.gz"
    with replacing(target) as temporary:
        temporary.write_bytes(b"whole")
        assert not target.exists()
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        assert temporary.name.endswith(".nii.gz")
    assert target.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [target]


def test_who_reads_the_old_file_goes_on_reading_it(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with target.open() as reader:
        with replacing(target) as temporary:
            temporary.write_text("new")
        assert reader.read() == "old"
    assert target.read_text() == "new"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError, SystemExit])
def test_what_ends_early_leaves_the_old_file_and_nothing_else(tmp_path, stop):
    target = tmp_path / "a.json"
    target.write_text("old")

    def write_half():
        with replacing(target) as temporary:
            temporary.write_text("ha")
            raise stop

    with pytest.raises(stop):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_an_output_error_that_says_so(tmp_path):
    def write():
        with replacing(tmp_path / "a.json"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError, match=r"a\.json: cannot be written .*No space left.*Free some space"):
        write()


def test_a_real_device_that_is_full(tmp_path):
    def write():
        with replacing(tmp_path / "a.bin"), open("/dev/full", "wb") as full:
            full.write(b"x" * 100_000)

    with pytest.raises(OutputError, match="No space left"):
        write()


def test_a_folder_that_is_missing_or_a_file(tmp_path):
    with pytest.raises(OutputError, match="Create the folder first"):
        write_json(tmp_path / "none" / "a.json", {})
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        make_folder(tmp_path / "file" / "sub")


def test_json_is_strict(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    write_json(tmp_path / "a.json", {"a": [1, None, "µl"]})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"a": [1, None, "µl"]}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]

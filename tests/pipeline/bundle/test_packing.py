"""A bundle as one file, and the rules that it keeps."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.bundle import find_bundle
from pipeline.bundle.packing import pack_bundle
from pipeline.bundle.verification import verify_bundle
from pipeline.cli import ctvol
from transforms.errors import NotFoundError, UnreadableError

BUNDLE = find_bundle("ct_lesion_segmentation")


@pytest.fixture
def own(tmp_path):
    """A copy of the bundle that a test may spoil."""
    return Path(shutil.copytree(BUNDLE, tmp_path / BUNDLE.name))


def change(bundle, **keys):
    path = bundle / "configs" / "metadata.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))


def outcomes(bundle):
    return {check.rule: check for check in verify_bundle(bundle)}


def test_a_zip_holds_the_bundle_and_nothing_else(own, tmp_path):
    (own / "configs" / ".hidden").write_text("x")
    (own / "notes.txt").write_text("x")
    with zipfile.ZipFile(pack_bundle(own, tmp_path / "bundle.zip")) as archive:
        assert archive.testzip() is None
        packed = {name: archive.read(name) for name in archive.namelist()}
    files = [path for path in BUNDLE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert packed == {f"{BUNDLE.name}/{path.relative_to(BUNDLE)}": path.read_bytes() for path in files}


def test_the_same_content_gives_the_same_file(own, tmp_path):
    one, other = (pack_bundle(bundle, tmp_path / name) for bundle, name in ((BUNDLE, "a.zip"), (own, "b.zip")))
    assert one.read_bytes() == other.read_bytes()


def test_weights_that_were_changed_are_not_packed(own, tmp_path):
    (own / "models" / "model.pt").write_bytes(b"other")
    with pytest.raises(UnreadableError, match="not those that the bundle publishes"):
        pack_bundle(own, tmp_path / "bundle.zip")
    (own / "models" / "model.pt").unlink()
    with pytest.raises(NotFoundError, match=r"no models/model\.pt"):
        pack_bundle(own, tmp_path / "bundle.zip")
    assert [path.name for path in tmp_path.iterdir()] == [own.name]


def test_the_command_names_the_zip_after_bundle_and_version(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(ctvol, ["bundle", "pack", BUNDLE.name])
    assert result.exit_code == 0, result.output
    version = json.loads((BUNDLE / "configs" / "metadata.json").read_text())["version"]
    assert [path.name for path in tmp_path.iterdir()] == [result.stdout.strip()] == [f"{BUNDLE.name}_v{version}.zip"]


def test_the_shipped_bundles_are_listed():
    result = CliRunner().invoke(ctvol, ["bundle", "list"])
    assert result.exit_code == 0
    names = [line.split()[0] for line in result.stdout.splitlines()]
    assert "ct_lesion_segmentation" in names
    assert names == sorted(names)


@pytest.mark.slow
@pytest.mark.parametrize("name", [BUNDLE.name, "ct_slice_classification"])
def test_the_shipped_bundles_keep_all_rules(name):
    result = CliRunner().invoke(ctvol, ["bundle", "verify", name])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert len(lines) == 7
    assert all(line.startswith("passed") for line in lines)


@pytest.mark.slow
def test_every_broken_rule_is_named_and_the_others_are_checked(own):
    (own / "docs" / "README.md").write_text("run in /home/somebody/ctvol")
    (own / "LICENSE").unlink()
    (own / "models" / "model_2_5d.pt").write_bytes(bytes(26 * 2**20))
    metadata = json.loads((own / "configs" / "metadata.json").read_text())
    metadata["network_data_format"]["inputs"]["image"]["spatial_shape"] = ["20*n"] * 3  # not a multiple of 16
    change(own, version="7.7", network_data_format=metadata["network_data_format"], authors=3)
    found = outcomes(own)
    assert {rule for rule, check in found.items() if check.outcome == "failed"} == set(found)
    for word in ("LICENSE", "model_2_5d.pt", "README.md"):
        assert word in found["files"].detail
    assert "7.7" in found["version in the changelog"].detail


@pytest.mark.slow
def test_other_weights_break_the_exports_of_no_other_bundle(own):
    """The exports are of the bundle that was asked for: its own weights are compared, whatever is shipped."""
    import torch

    path = own / "models" / "model.pt"
    state = {name: value * 1.5 for name, value in torch.load(path, weights_only=True).items()}
    torch.save(state, path)
    found = outcomes(own)
    assert [rule for rule, check in found.items() if check.outcome == "failed"] == ["hashes of the weights"]

"""The wheel, installed away from the repository, and a bundle that it packed."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nibabel as nib
import pytest

from pipeline.phantom import PhantomSpec, make_phantom, write_phantom

ROOT = Path(__file__).parents[2]
SOURCES = ("transforms", "pipeline", "bundles", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")

CTVOL = ("-c", "from pipeline.cli import main; main()")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run_installed(tmp_path_factory):
    """A function that runs Python where the wheel is installed, in a folder that is not the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # a build writes beside the sources
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    no_more = ["--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "wheel", *no_more, "-w", folder, source], check=True)
    (wheel,) = folder.glob("ctvol-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", folder / "site", wheel], check=True)
    (folder / "elsewhere").mkdir()

    def run(*arguments):
        environment = {**os.environ, "PYTHONPATH": str(folder / "site"), "PYTHONSAFEPATH": "1"}
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=folder / "elsewhere",
            env=environment,
            capture_output=True,
            text=True,
            timeout=500,
        )

    return run


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    spec = PhantomSpec(seed=5, shape=(72, 60, 56), spacing_mm=(5.0, 5.0, 5.0))
    return write_phantom(tmp_path_factory.mktemp("study"), make_phantom(spec), format="nifti").ct


def test_the_wheel_carries_the_bundles_and_segments(run_installed, study, tmp_path):
    where = run_installed("-c", "import bundles, pipeline; print(bundles.__path__[0], pipeline.__path__[0])")
    assert where.returncode == 0, where.stderr
    assert str(ROOT) not in where.stdout
    done = run_installed(*CTVOL, "segment", study, "-o", tmp_path / "out", "--write", "nifti")
    assert done.returncode == 0, done.stderr
    labels = nib.load(tmp_path / "out" / "ct" / "labels.nii.gz")
    assert labels.shape == nib.load(study).shape
    assert json.loads((tmp_path / "out" / "ct" / "provenance.json").read_text())["bundle"]["name"]


def test_a_packed_bundle_runs_by_monais_command_and_from_a_script(run_installed, study, tmp_path):
    packed = run_installed(*CTVOL, "bundle", "pack", "ct_lesion_segmentation", "-o", tmp_path / "b.zip")
    assert packed.returncode == 0, packed.stderr
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        archive.extractall(tmp_path)
    bundle = tmp_path / "ct_lesion_segmentation"
    command = ["-m", "monai.bundle", "run", "--config_file", bundle / "configs" / "inference.yaml"]
    keys = {"bundle_root": bundle, "dataset_dir": study, "output_dir": tmp_path / "out"}
    done = run_installed(*command, *(text for key, value in keys.items() for text in (f"--{key}", value)))
    assert done.returncode == 0, done.stderr
    page = (ROOT / "docs" / "bundle-file.md").read_text()
    (script,) = (block.partition("```")[0] for block in page.split("```python\n")[1:])
    for placeholder, value in {"BUNDLE": bundle, "STUDY": study, "OUT": tmp_path / "script"}.items():
        script = script.replace(f'"{placeholder}"', repr(str(value)))
    done = run_installed("-c", script)
    assert done.returncode == 0, done.stderr
    one, other = ((tmp_path / name / "ct" / "labels.nii.gz").read_bytes() for name in ("out", "script"))
    assert one == other

"""Whatever ends a run over many studies, the same command again does what is left, and nothing twice."""

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import time

import nibabel as nib
import numpy as np
import pytest

CASES = ["a", "b", "c"]
OPTIONS = ["--device", "cpu", "--write", "nifti,measurements"]


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Three very small chests: a body with two lungs."""
    folder, generator = tmp_path_factory.mktemp("studies"), np.random.default_rng(0)
    for name in CASES:
        hu = np.full((40, 40, 30), -1000, np.int16)
        hu[4:36, 6:34] = 30
        for left in (8, 22):
            hu[left : left + 10, 10:30, 4:26] = -850
        hu += generator.integers(-20, 20, hu.shape).astype(np.int16)
        image = nib.Nifti1Image(hu, np.diag([8.0, 8.0, 8.0, 1.0]))
        image.header.set_xyzt_units("mm")
        nib.save(image, folder / f"{name}.nii.gz")
    return folder


@pytest.fixture(scope="module")
def command(warm_python, tiny_bundle, studies):
    """A function that begins `ctvol segment` into a folder."""

    def begin(out, *options):
        return warm_python.begin("ctvol", "segment", studies, "-o", out, "--bundle", tiny_bundle, *OPTIONS, *options)

    return begin


def rows(out):
    """The table, which must have a row a case."""
    if not (out / "cases.csv").exists():
        return {}
    with (out / "cases.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert len({row["case"] for row in found}) == len(found)
    return {row["case"]: row["status"] for row in found}


def visible_files(out):
    hidden = set(out.rglob(".*"))
    return [path for path in out.rglob("*") if path.is_file() and not hidden & {path, *path.parents}]


def done(out):
    """When each case was done."""
    return {path.parent.name: path.stat().st_mtime_ns for path in out.glob("*/provenance.json")}


def whole(out):
    """Makes sure that every file that is there can be read to its end."""
    for path in visible_files(out):
        if path.suffix == ".gz":
            assert np.asanyarray(nib.load(path).dataobj).shape == (40, 40, 30)
        elif path.suffix == ".json":
            json.loads(path.read_text())


@pytest.fixture(scope="module")
def seconds(command, tmp_path_factory):
    """How long a whole run takes."""
    begun = time.perf_counter()
    result = command(tmp_path_factory.mktemp("first")).end()
    assert result.returncode == 0, result.stderr
    return time.perf_counter() - begun


@pytest.mark.slow
@pytest.mark.timeout(1800)  # forty runs: on a busy machine they take their time
def test_killed_at_twenty_random_moments_nothing_is_lost_or_done_twice(command, seconds, tmp_path):
    generator, interrupted = random.Random(0), 0
    for number in range(20):
        out = tmp_path / str(number)
        run = command(out)
        time.sleep(generator.uniform(0.1, 1.0) * seconds)
        os.kill(run.pid, signal.SIGKILL)
        interrupted += run.end().returncode == -signal.SIGKILL
        whole(out)
        rows(out)
        before = done(out)
        result = command(out).end()
        assert result.returncode == 0, result.stderr
        assert rows(out) == dict.fromkeys(CASES, "done")
        after = done(out)
        assert sorted(after) == CASES
        assert {case: after[case] for case in before} == before
        assert not [path for path in out.rglob(".*-*") if path.is_file()]
    assert interrupted > 10


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_the_end_of_a_job_leave_whole_files_and_say_so(command, seconds, tmp_path, number, status):
    run = command(tmp_path)
    while not done(tmp_path):
        time.sleep(0.01)
    os.kill(run.pid, number)
    result = run.end()
    assert result.returncode == status, result.stderr
    assert "Traceback" not in result.stderr
    if number == signal.SIGINT:
        assert "ctvol: error: interrupted" in result.stderr.splitlines()[-1]
    whole(tmp_path)
    assert {case for case, said in rows(tmp_path).items() if said == "done"} == set(done(tmp_path))
    assert not [path for path in tmp_path.rglob(".*-*") if path.is_file()]


@pytest.mark.slow
def test_two_commands_on_one_folder_share_the_cases(command, tmp_path):
    runs = [command(tmp_path, "--log-json") for _ in range(2)]
    results = [run.end() for run in runs]
    assert [result.returncode for result in results] == [0, 0]
    lines = [json.loads(line) for result in results for line in result.stderr.splitlines()]
    assert sorted(line["case"] for line in lines if line["stage"] == "network") == CASES
    assert rows(tmp_path) == dict.fromkeys(CASES, "done")


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 64 KB, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no disk can be mounted by this user")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_a_disk_that_is_full_ends_the_run_with_an_error_and_whole_files(command, small_disk):
    result = command(small_disk / "out").end()
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("ctvol: error: ")
    assert "No space left on device" in last
    assert "Free some space on this disk" in last
    whole(small_disk)
    said = rows(small_disk / "out")
    assert {case for case, status in said.items() if status == "done"} <= set(done(small_disk / "out"))
    assert not [path for path in small_disk.rglob(".*-*") if path.is_file()]


@pytest.mark.slow
def test_the_bundle_command_and_ctvol_take_each_other_s_results_for_done(command, segment, studies, tmp_path):
    assert command(tmp_path).end().returncode == 0
    before = done(tmp_path)
    result = segment(studies, tmp_path, write=["nifti", "measurements"], device="cpu")
    assert result.returncode == 0, result.stderr
    assert done(tmp_path) == before
    result = segment(studies, tmp_path, write=["nifti", "measurements"], device="cpu", overlap=0.25)
    assert result.returncode == 0, result.stderr
    assert "case a is done again: the setting overlap was 0.5 and is 0.25" in result.stderr
    assert all(done(tmp_path)[case] > before[case] for case in CASES)

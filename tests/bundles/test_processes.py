"""Training and evaluation in two processes, on processors."""

import json
import subprocess
import sys

import pytest
import torch

pytestmark = pytest.mark.slow

TINY = {"network_def#channels": "[4,8,16]", "network_def#strides": "[2,2]", "patch_size": "[32,32,32]"}
COARSE = {"spacing_mm": "[5,5,5]"}


@pytest.fixture(scope="module")
def run_processes(bundle):
    """A function that runs a workflow of the bundle in two processes."""

    def run(overlays, keys):
        files = [str(bundle / "configs" / f"{name}.yaml") for name in ("train", *overlays.split())]
        command = [sys.executable, "-P", "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
        command += ["-m", "monai.bundle", "run", "--config_file", str(files), "--bundle_root", str(bundle)]
        for key, value in (TINY | COARSE | keys).items():
            command += [f"--{key}", str(value)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)

    return run


@pytest.fixture(scope="module")
def two_to_validate(data_set, listing, tmp_path_factory):
    """The data set with a case to validate for each process."""
    folder = tmp_path_factory.mktemp("two")
    for path in data_set.glob("*.nii.gz"):
        (folder / path.name).symlink_to(path)
    content = listing(data_set)
    content["validation"] += content.pop("test")
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def trained(run_processes, two_to_validate, tmp_path_factory):
    """The folder of a training in two processes, limited in epochs and in minutes."""
    folder = tmp_path_factory.mktemp("processes")
    keys = {"samples_per_epoch": 4, "max_epochs": 2, "max_minutes": 30, "val_interval": 1, "num_workers": 0}
    result = run_processes("multi_gpu_train", keys | {"dataset_dir": two_to_validate, "ckpt_dir": folder / "run"})
    assert result.returncode == 0, result.stderr[-3000:]
    return folder / "run"


def test_two_processes_train_one_network(trained):
    last = torch.load(trained / "last.pt", weights_only=True)
    # Four samples in batches of two, shared by two processes: one step an epoch.
    assert (last["epoch"], last["iteration"]) == (2, 2)
    best = torch.load(trained / "best.pt", weights_only=True)
    assert not any(name.startswith("module.") for name in best)


def test_two_processes_share_an_evaluation(run_processes, trained, data_set, tmp_path):
    keys = {"dataset_dir": data_set, "ckpt_dir": trained, "output_dir": tmp_path, "split": "training"}
    result = run_processes("evaluate multi_gpu_evaluate", keys)
    assert result.returncode == 0, result.stderr[-3000:]
    rows = (tmp_path / "metrics.csv").read_text().splitlines()[1:]
    assert sorted({row.split(",")[0] for row in rows}) == ["a", "b"]
    assert len(rows) == 6


def test_fewer_cases_than_processes_are_refused(run_processes, trained, data_set, tmp_path):
    keys = {"dataset_dir": data_set, "ckpt_dir": trained, "output_dir": tmp_path / "out", "split": "test"}
    result = run_processes("evaluate multi_gpu_evaluate", keys)
    assert result.returncode != 0
    assert "there are fewer cases than processes (found 1 cases for 2 processes)" in result.stderr
    assert not (tmp_path / "out").exists()

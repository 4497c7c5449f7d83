"""Training the classifier in two processes, on processors."""

import subprocess
import sys

import pytest
import torch

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained_by_two(slice_bundle, slice_data, tmp_path_factory):
    """The folder of a training in two processes, and what it said."""
    run = tmp_path_factory.mktemp("processes") / "run"
    files = [str(slice_bundle / "configs" / f"{name}.yaml") for name in ("train", "multi_gpu_train")]
    command = [sys.executable, "-P", "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command += ["-m", "monai.bundle", "run", "--config_file", str(files), "--bundle_root", str(slice_bundle)]
    keys = {"dataset_dir": slice_data, "ckpt_dir": run, "architecture": "resnet18", "image_size": "[32,32]"}
    keys |= {"max_epochs": 2, "train_batch_size": 4, "val_interval": 1, "process_backend": "gloo"}
    for key, value in (keys | {"device": "$torch.device('cpu')"}).items():
        command += [f"--{key}", str(value)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    return run, done.stderr


def test_two_processes_train_one_classifier(trained_by_two):
    run, _ = trained_by_two
    last = torch.load(run / "last.pt", weights_only=True)
    # Sixteen slices in batches of four, shared by two processes: two steps an epoch.
    assert (last["epoch"], last["iteration"]) == (2, 4)
    best = torch.load(run / "best.pt", weights_only=True)
    assert not any(name.startswith("module.") for name in best)


def test_both_validate_and_one_writes(trained_by_two):
    run, log = trained_by_two
    assert log.count("best val_accuracy so far") == 1
    curves = b"".join(path.read_bytes() for path in (run / "tensorboard").glob("events*"))
    for name in (b"val_accuracy", b"val_auroc", b"val_loss"):
        assert name in curves

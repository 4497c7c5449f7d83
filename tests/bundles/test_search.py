"""A search over real trainings: a grid of which one cannot work, killed in the middle and taken up."""

import csv
import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

SPACE = """
search: {patch_size: {choices: [[32, 32, 32], [30, 30, 30]]}}
fixed:
  max_epochs: 2
  val_interval: 1
  samples_per_epoch: 2
  train_batch_size: 1
  num_workers: 0
  spacing_mm: [5, 5, 5]
  network_def#channels: [4, 8, 16]
  network_def#strides: [2, 2]
"""


@pytest.mark.slow
def test_a_search_is_killed_and_taken_up(data_set, tmp_path):
    (tmp_path / "space.yaml").write_text(SPACE)
    out = tmp_path / "out"
    arguments = ["search", "ct_lesion_segmentation", data_set, "-o", out, "--space", tmp_path / "space.yaml"]
    code = "from pipeline.cli import main; main()"
    command = [sys.executable, "-P", "-c", code, *map(str, arguments), "--sampler", "grid"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 200
        while not list(out.glob("trials/*/training.log")) and time.monotonic() < deadline:
            time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    with (out / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    states = sorted((row["patch_size"], row["state"], row["error"][:9]) for row in rows)
    assert ("[32, 32, 32]", "complete", "") in states
    assert [error for patch, state, error in states if state == "fail" and error != "cut off; "]
    assert sum(error == "cut off; " for _, _, error in states) == 1
    failed = next(row for row in rows if row["patch_size"] == "[30, 30, 30]" and "cut off" not in row["error"])
    assert "cannot take patches of this size" in failed["error"]
    assert yaml.safe_load((out / "best.yaml").read_text())["patch_size"] == [32, 32, 32]
    assert done.stdout.strip() == str(out / "best.yaml")

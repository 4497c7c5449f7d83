"""The benchmark of weak supervision runs and prints the Dice of each way."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_it_prints_the_dice_of_each_way(tmp_path):
    command = [sys.executable, "benchmarks/weak_supervision.py", "--out", str(tmp_path), "--pairs", "1", "1", "1"]
    command += ["--spacing-mm", "4", "4", "10", "--keys", "max_epochs=1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    means = {line["what"]: line for line in lines if "mean_dice_test" in line}
    assert list(means) == ["pseudo-masks", "region alone", "density alone"]
    assert all(0 <= line["mean_dice_train"] <= 1 for line in means.values())
    assert sum("dice" in line for line in lines) == 6

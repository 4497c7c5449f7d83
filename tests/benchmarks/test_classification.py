"""The benchmark of slice classification runs and says that both ways agree."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.phantom import PhantomSpec, write_phantom

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_it_prints_both_ways_and_they_agree(tmp_path):
    files = write_phantom(tmp_path, PhantomSpec(seed=2, spacing_mm=(4.0, 4.0, 20.0)), format="nifti")
    command = [sys.executable, "benchmarks/classification.py", "--study", str(files.ct), "--rounds", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["what"] for line in lines] == [
        "read and prepare", "ours", "plain loop", "ours from file to probabilities",
        "largest difference of a probability",
    ]  # fmt: skip
    assert all(line["slices_per_second"] > 0 for line in lines[:4])
    assert lines[4]["value"] < 0.05

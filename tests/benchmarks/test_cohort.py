"""The benchmark of cohorts runs, and counts what it should."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks/cohort.py"


@pytest.mark.slow
def test_two_studies(tmp_path):
    command = [sys.executable, "-P", PROGRAM, "--studies", "2", "--data", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, single, stages, cohort = map(json.loads, done.stdout.splitlines())
    assert (first["benchmark"], first["studies"]) == ("cohort", 2)
    assert set(stages["seconds"]) == {"read", "network", "restore and write"}
    assert cohort["done"] == 2
    assert single["seconds"] > 0
    assert cohort["working_seconds"] > 0

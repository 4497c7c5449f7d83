"""The benchmark of the lungs runs and prints JSON."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "benchmarks/lungs.py"


def test_one_json_object():
    command = [sys.executable, PROGRAM, "--slices", "60", "--size", "96", "--rounds", "1", "--half-consolidated"]
    line = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert line["benchmark"] == "lungs"
    assert line["shape"] == [96, 96, 60]
    assert line["seconds"] > 0
    assert line["left_ml"] > 1500
    assert line["right_ml"] > 1500

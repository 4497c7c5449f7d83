"""The benchmark of the report runs and prints JSON; the page of a made chest keeps to its size."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "benchmarks/report.py"


def test_one_json_object():
    command = [sys.executable, PROGRAM, "--slices", "12", "--size", "64", "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    line = json.loads(done.stdout)
    assert line["benchmark"] == "report"
    assert line["shape"] == [64, 64, 12]
    assert line["seconds"] > 0
    assert 0 < line["page_mb"] < 1

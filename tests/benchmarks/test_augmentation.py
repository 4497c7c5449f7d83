"""The benchmark of augmentation runs, prints JSON, and all contestants make an image and a label map."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks/augmentation.py"


@pytest.mark.slow
def test_one_json_object_a_contestant():
    command = [sys.executable, PROGRAM, "--size", "32", "--rounds", "1", "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, *lines = map(json.loads, done.stdout.splitlines())
    assert first["benchmark"] == "augmentation"
    assert {line["contestant"] for line in lines} >= {
        "ctvol",
        "MONAI Rand3DElasticd",
        "batchgeneratorsv2 SpatialTransform",
        "TorchIO elastic + affine",
    }
    for line in lines:
        assert line["shape"] == [32, 32, 32]
        assert set(line["classes"]) <= {0, 1, 2}
        assert line["seconds"] > 0

"""The benchmark of reading runs, prints JSON, and all readers agree."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks/reading.py"


@pytest.mark.slow
def test_one_json_object_a_reader_and_the_same_voxels():
    command = [sys.executable, PROGRAM, "--slices", "4", "--size", "32", "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, *lines = map(json.loads, done.stdout.splitlines())
    assert first["benchmark"] == "reading"
    assert {(line["format"], line["reader"]) for line in lines} == {
        *(("dicom", name) for name in ("SimpleITK", "MONAI ITKReader", "MONAI PydicomReader", "ctvol")),
        *(("nii.gz", name) for name in ("nibabel", "SimpleITK", "MONAI NibabelReader", "ctvol")),
    }
    for line in lines:
        assert line["same_voxels"] is True
        assert line["shape"] == [32, 32, 4]
        assert line["seconds"] > 0

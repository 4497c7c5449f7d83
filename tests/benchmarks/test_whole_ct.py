"""The benchmark of whole CTs runs, and what it compares with gives the label map of exact mode."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.phantom import PhantomSpec, make_phantom, write_phantom

PROGRAM = Path(__file__).parents[2] / "benchmarks/whole_ct.py"


@pytest.mark.slow
def test_exact_mode_gives_the_label_map_of_stock_monai(tmp_path):
    spec = PhantomSpec(seed=11, shape=(96, 96, 80), spacing_mm=(3.6, 3.6, 4.0))
    study = write_phantom(tmp_path, make_phantom(spec), format="nifti").ct
    command = [sys.executable, PROGRAM, study, "--rounds", "1", "--contestants", "stock MONAI", "ctvol exact"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, stock, exact = map(json.loads, done.stdout.splitlines())
    assert first["benchmark"] == "whole_ct"
    assert set(stock["stages"]) == {"read", "network", "restore and write"}
    assert exact["equal_voxels"] >= 0.9999
    assert sum(ml for one in exact["classes"].values() for ml in one["ml"]) > 1
    assert exact["peak_gb"] > 0

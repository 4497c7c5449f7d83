"""The benchmark of training runs, prints JSON, and all contestants train the same network on the same cases."""

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks/training.py"


@pytest.fixture
def data(tmp_path):
    """Three noisy cubes with a lesion."""
    listed, rng = [], np.random.default_rng(0)
    for name in ("a", "b", "c"):
        hu, label = rng.normal(-500, 200, (28, 28, 28)).astype(np.int16), np.zeros((28, 28, 28), np.uint8)
        label[10:18, 10:18, 10:18] = 1
        for key, array in (("image", hu), ("label", label)):
            nib.save(nib.Nifti1Image(array, np.diag([1.5, 1.5, 1.5, 1.0])), tmp_path / f"{name}_{key}.nii.gz")
        listed.append({key: f"{name}_{key}.nii.gz" for key in ("image", "label")})
    (tmp_path / "dataset.json").write_text(json.dumps({"training": listed}))
    return tmp_path


@pytest.mark.slow
def test_one_json_object_a_contestant(data):
    small = ["--rounds", "1", "--iterations", "2", "--warm-up", "1", "--cases", "2", "--patch-size", "16"]
    command = [sys.executable, PROGRAM, "--data", data, *small, "--channels", "4", "8", "--augment-on", "device"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, *lines = map(json.loads, done.stdout.splitlines())
    assert (first["benchmark"], first["device"]) == ("training", "cpu")
    assert [line["contestant"] for line in lines] == ["ctvol", "MONAI, RandAffined", "MONAI, Rand3DElasticd"]
    assert {line["cases"] for line in lines} == {2}
    assert len({line["parameters"] for line in lines}) == 1
    for line in lines:
        assert line["samples_a_second"] > 0
        assert set(line["times_that_of"]) == {other["contestant"] for other in lines} - {line["contestant"]}
        assert {"data", "transfer", "forward", "backward", "optimizer"} <= set(line["iteration_seconds"])

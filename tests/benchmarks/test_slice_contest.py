"""The contest of slice classifiers trains the stock one, audits both, and uses weights that are there."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.networks.nets import DenseNet121
from PIL import Image

ROOT = Path(__file__).parents[2]


@pytest.fixture
def pictures(tmp_path):
    """Chests in a CSV; those of the ill have white lungs, and four a class are not for training."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:90j, -1:1:90j]
    lungs = np.minimum(((x - 0.4) / 0.3) ** 2, ((x + 0.4) / 0.3) ** 2) + (y / 0.55) ** 2 <= 1
    rows = []
    for number in range(28):
        ill = number % 2
        gray = np.where((x / 0.9) ** 2 + (y / 0.8) ** 2 <= 1, 190, 10) + generator.normal(0, 8, x.shape)
        gray[lungs] = 60 + 80 * ill + generator.uniform(-20, 20)
        Image.fromarray(gray.clip(0, 255).astype(np.uint8)).save(tmp_path / f"{number}.png")
        split = "train" if number < 20 else "val"
        rows.append({"path": f"{number}.png", "label": ("NonCOVID", "COVID")[ill], "split": split})
    with (tmp_path / "dataset.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["path", "label", "split"])
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path


@pytest.mark.slow
def test_it_audits_the_shipped_and_the_stock_classifier(pictures, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    there = {"network": DenseNet121(2, 1, 2).state_dict(), "epochs": 7, "processor_minutes": 0.5}
    torch.save(there, output / "stock-3.pt")
    command = [sys.executable, "benchmarks/slice_contest.py", str(pictures), str(output)]
    options = ["--samples", "20", "--minutes", "0.001", "--seeds", "2", "3"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    ours, trained, kept = [json.loads(line) for line in done.stdout.splitlines()]
    assert [ours["contestant"], trained["contestant"]] == ["ctvol", "stock MONAI, seed 2"]
    for line in (ours, trained, kept):
        assert {"model", "lungs_blanked", "file_through_model", "windows_changed"} <= line["audit"].keys()
        assert line["audit"]["model"]["value"] == pytest.approx(line["scores"]["auroc"]["value"], abs=1e-4)
    assert trained["epochs"] == 1
    assert kept["epochs"] == 7  # weights that are there are used
    weights = torch.load(output / "stock-2.pt", weights_only=True)["network"]
    assert not torch.equal(weights["class_layers.out.weight"], there["network"]["class_layers.out.weight"])

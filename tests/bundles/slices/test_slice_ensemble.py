"""Several weights of the classifier answer together, on the command line and in evaluation."""

import json

import pytest
import torch
from PIL import Image

from pipeline.networks.classifiers import classifier


@pytest.fixture(scope="module")
def two(tmp_path_factory, slice_weights):
    """Two weights files of one network."""
    torch.manual_seed(1)
    other = tmp_path_factory.mktemp("other") / "other.pt"
    torch.save(classifier("resnet18", 1, 2, dropout=0.2).state_dict(), other)
    return [slice_weights, other]


@pytest.mark.slow
def test_several_weights_classify_together_and_show_where_they_looked(
    run_ctvol, tiny_slice_bundle, slice_data, two, table, tmp_path
):
    picture = slice_data / "CT_COVID" / "train%0.png"
    said, hashes = {}, {}
    for name, files in {"one": two[:1], "other": two[1:], "both": two}.items():
        options = [word for file in files for word in ("--weights", file)]
        where = ["--bundle", tiny_slice_bundle, "-o", tmp_path / name, "--mode", "exact", "--gradcam", 1]
        result = run_ctvol("classify", picture, *where, *options)
        assert result.returncode == 0, result.stderr
        (row,) = table(tmp_path / name / "predictions.csv")
        said[name] = float(row["p_COVID"])
        (case,) = (path.parent for path in (tmp_path / name).glob("*/provenance.json"))
        hashes[name] = json.loads((case / "provenance.json").read_text())["bundle"]["weights_hash"]
        with Image.open(picture) as source, Image.open(case / "gradcam" / "slice_0000.png") as overlay:
            assert overlay.size == source.size
    assert said["one"] != said["other"]
    assert said["both"] == pytest.approx((said["one"] + said["other"]) / 2, abs=1e-4)
    assert len(set(hashes.values())) == 3


@pytest.mark.slow
def test_several_weights_are_measured_together(run_bundle, slice_bundle, slice_data, two, table, tmp_path):
    keys = {"dataset_dir": slice_data, "architecture": "resnet18", "image_size": [32, 32], "bootstrap_samples": 20}
    keys |= {"device": "$torch.device('cpu')", "precision": "float32", "flips": [[]], "gradcam": 2}
    said = {}
    for name, weights in {"one": two[0], "other": two[1], "both": [str(path) for path in two]}.items():
        overlays = "train evaluate ensemble" if name == "both" else "train evaluate"
        result = run_bundle(slice_bundle, overlays, keys | {"weights": weights, "output_dir": tmp_path / name})
        assert result.returncode == 0, result.stderr
        said[name] = [float(row["p_COVID"]) for row in table(tmp_path / name / "predictions.csv")]
    means = [(one + other) / 2 for one, other in zip(said["one"], said["other"], strict=True)]
    assert said["both"] == pytest.approx(means, abs=1e-4)
    assert json.loads((tmp_path / "both" / "metrics.json").read_text())["items"] == 12
    assert list((tmp_path / "both" / "gradcam").glob("*.png"))

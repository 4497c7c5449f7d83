"""Two folds are trained and measured on what each set aside, and answer together."""

import csv
import json

import pytest
import torch


def cases(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return {row["case"] for row in csv.DictReader(file)}


@pytest.mark.slow
def test_folds_are_trained_measured_and_put_together(train, run_bundle, run_ctvol, bundle, study, data_set, tmp_path):
    tiny = {"network_def#channels": [4, 8, 16], "network_def#strides": [2, 2]}
    tiny |= {"patch_size": [32, 32, 32], "spacing_mm": [5, 5, 5]}
    measured = {}
    for fold in (0, 1):
        run = tmp_path / f"fold_{fold}"
        keys = {"fold": fold, "folds": 2}
        result = train(data_set, run, "cross_validation", max_epochs=1, **keys)
        assert result.returncode == 0, result.stderr
        keys |= tiny | {"dataset_dir": data_set, "ckpt_dir": run}
        result = run_bundle(bundle, "train evaluate cross_validation", keys)
        assert result.returncode == 0, result.stderr
        measured[fold] = cases(run / "evaluation")
    assert not measured[0] & measured[1]
    assert len(measured[0] | measured[1]) == 3  # all but the test case
    result = run_ctvol("pool", tmp_path / "fold_0", tmp_path / "fold_1", "-o", tmp_path / "pooled")
    assert result.returncode == 0, result.stderr
    with (tmp_path / "pooled" / "folds.csv").open(newline="") as file:
        pooled = [row for row in csv.DictReader(file) if row["fold"] == "all"]
    assert {(row["cases"], row["failed"]) for row in pooled} == {("3", "0")}
    weights = [str(tmp_path / f"fold_{fold}" / "best.pt") for fold in (0, 1)]
    keys = tiny | {"weights": weights, "dataset_dir": study["nifti"].ct, "output_dir": tmp_path / "out"}
    result = run_bundle(bundle, "inference ensemble", keys)
    assert result.returncode == 0, result.stderr
    provenance = json.loads((tmp_path / "out" / "ct" / "provenance.json").read_text())
    assert "sha256:" in json.dumps(provenance)
    keys |= {"dataset_dir": data_set, "split": "test", "output_dir": tmp_path / "scores"}
    result = run_bundle(bundle, "train evaluate ensemble", keys)
    assert result.returncode == 0, result.stderr
    assert cases(tmp_path / "scores") == {"d"}
    wrong = run_bundle(
        bundle, "train cross_validation", {"dataset_dir": data_set, "fold": 5, "ckpt_dir": tmp_path / "x"}
    )
    assert wrong.returncode == 2
    assert "there is no such fold (found 5 of 5" in wrong.stderr


@pytest.mark.slow
def test_several_weights_segment_together(run_ctvol, tiny_bundle, weights, study, label_map, tmp_path):
    """Twice the same weights are one network's answer; other weights change it, and the record of who answered."""
    torch.manual_seed(1)
    other = {name: torch.randn_like(value) for name, value in torch.load(weights["3d"], weights_only=True).items()}
    torch.save(other, tmp_path / "other.pt")
    answers, hashes = {}, {}
    for name, files in {
        "one": [weights["3d"]], "twice": [weights["3d"]] * 2, "both": [weights["3d"], tmp_path / "other.pt"],
    }.items():  # fmt: skip
        options = [word for file in files for word in ("--weights", file)]
        where = ["--bundle", tiny_bundle, "-o", tmp_path / name, "--write", "nifti", "--mode", "exact"]
        result = run_ctvol("segment", study["nifti"].ct, *where, *options)
        assert result.returncode == 0, result.stderr
        answers[name] = label_map(tmp_path / name / "ct" / "labels.nii.gz")
        provenance = json.loads((tmp_path / name / "ct" / "provenance.json").read_text())
        hashes[name] = provenance["bundle"]["weights_hash"]
    assert (answers["one"] == answers["twice"]).mean() > 0.999
    assert (answers["one"] != answers["both"]).any()
    assert len(set(hashes.values())) == 3

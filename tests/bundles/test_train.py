"""Training through the bundle's own command: what it leaves behind, that it goes on, ends in time, and starts anew."""

import hashlib
import json

import pytest
import torch
from monai.bundle import ConfigParser


def saved(path):
    return torch.load(path, weights_only=True)


def last(run):
    return saved(run / "last.pt")


def content(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def trained(train, data_set, bundle, tmp_path_factory):
    """The folder of a 3D training of two epochs, its log, and the bundle's files before it and after."""
    run = tmp_path_factory.mktemp("trained") / "run"
    before = content(bundle)
    result = train(data_set, run)
    assert result.returncode == 0, result.stderr
    return run, result.stderr, before, content(bundle)


def test_a_training_leaves_weights_a_checkpoint_and_curves(trained):
    run, log, _, _ = trained
    assert {"best.pt", "last.pt", "last.previous.pt", "tensorboard", "cache"} == {path.name for path in run.iterdir()}
    assert all(isinstance(value, torch.Tensor) for value in saved(run / "best.pt").values())
    assert (last(run)["epoch"], last(run)["iteration"]) == (2, 4)
    curves = b"".join(path.read_bytes() for path in (run / "tensorboard").glob("events*"))
    assert b"train_loss" in curves
    assert b"val_dice_consolidation" in curves
    assert "best val_mean_dice so far" in log


def test_the_bundle_stays_as_it_was(trained):
    _, _, before, after = trained
    assert before == after


def test_trained_weights_can_be_evaluated(trained, run_bundle, bundle, data_set, tmp_path):
    run, *_ = trained
    keys = {"dataset_dir": data_set, "ckpt_dir": run, "output_dir": tmp_path, "spacing_mm": [5, 5, 5]}
    tiny = {"network_def#channels": [4, 8, 16], "network_def#strides": [2, 2], "patch_size": [32, 32, 32]}
    result = run_bundle(bundle, "train evaluate", keys | tiny | {"split": "test"})
    assert result.returncode == 0, result.stderr
    header, *rows = (tmp_path / "metrics.csv").read_text().splitlines()
    assert header.startswith("case,class,dice,hd95_mm,nsd")
    assert [row.split(",")[:2] for row in rows] == [
        ["d", name] for name in ("ground_glass", "consolidation", "pleural_effusion")
    ]
    summary = json.loads((tmp_path / "metrics.json").read_text())
    assert summary["cases"] == 1
    assert 0 <= summary["mean"]["dice"] <= 1
    assert 0 <= summary["mean_interval"]["lesion_f1"]["low"] <= summary["mean"]["lesion_f1"]
    assert 0 < summary["mean"]["calibration_error"] < 1
    assert "Bland–Altman" in (tmp_path / "report.html").read_text()


def test_a_training_goes_on_where_it_was_left(trained, train, data_set, tmp_path):
    run, *_ = trained
    copy = tmp_path / "run"
    copy.mkdir()
    (copy / "last.pt").write_bytes((run / "last.pt").read_bytes())
    result = train(data_set, copy, max_epochs=3)
    assert result.returncode == 0, result.stderr
    assert "resuming after epoch 2" in result.stderr
    assert last(copy)["epoch"] == 3


@pytest.mark.slow
def test_without_resume_a_training_starts_anew(trained, train, data_set, tmp_path):
    run, *_ = trained
    copy = tmp_path / "run"
    copy.mkdir()
    (copy / "last.pt").write_bytes((run / "last.pt").read_bytes())
    result = train(data_set, copy, max_epochs=1, resume=False)
    assert result.returncode == 0, result.stderr
    assert last(copy)["epoch"] == 1


@pytest.mark.slow
def test_an_interrupted_training_ends_as_one_that_was_not(train, data_set, tmp_path):
    cut = {"max_epochs": 2, "schedule": "constant", "warmup": 0.0}
    assert train(data_set, tmp_path / "whole", **cut).returncode == 0
    assert train(data_set, tmp_path / "parts", **cut | {"max_epochs": 1}).returncode == 0
    assert train(data_set, tmp_path / "parts", **cut).returncode == 0
    whole, parts = (last(tmp_path / name) for name in ("whole", "parts"))
    for part in ("network", "averaged"):
        assert all(torch.equal(value, parts[part][name]) for name, value in whole[part].items())


@pytest.mark.slow
@pytest.mark.parametrize("overlay", ["unet_2_5d", "binary", "unet_2_5d binary"])
def test_variants_train_evaluate_and_segment(train, run_bundle, bundle, study, data_set, tmp_path, overlay):
    run = tmp_path / "run"
    result = train(data_set, run, overlay, max_epochs=1)
    assert result.returncode == 0, result.stderr
    flat, classes = "unet_2_5d" in overlay, 2 if "binary" in overlay else 4
    assert next(reversed(saved(run / "best.pt").values())).numel() == classes
    size = {"channels": [4, 8, 16], "dropout": [0, 0, 0]} if flat else {"channels": [4, 8, 16], "strides": [2, 2]}
    keys = {"spacing_mm": [5, 5, 5], "patch_size": [48, 48] if flat else [32, 32, 32], "weights": run / "best.pt"}
    keys |= {f"network_def#{key}": value for key, value in size.items()}
    scored = run_bundle(
        bundle, f"train {overlay} evaluate", keys | {"dataset_dir": data_set, "output_dir": tmp_path / "scores"}
    )
    assert scored.returncode == 0, scored.stderr
    assert len((tmp_path / "scores" / "metrics.csv").read_text().splitlines()) == classes
    inferred = run_bundle(
        bundle, f"inference {overlay}", keys | {"dataset_dir": study["nifti"].ct, "output_dir": tmp_path / "out"}
    )
    assert inferred.returncode == 0, inferred.stderr
    assert (tmp_path / "out" / "ct" / "provenance.json").is_file()


@pytest.mark.slow
def test_minutes_end_a_training(train, data_set, tmp_path):
    result = train(data_set, tmp_path, max_epochs=10_000, max_minutes=0.1, val_interval=1000)
    assert result.returncode == 0, result.stderr
    assert "minutes are used up" in result.stderr
    assert 1 <= last(tmp_path)["epoch"] < 10_000
    assert (tmp_path / "best.pt").is_file()  # it was validated at the end


@pytest.mark.slow
def test_training_stops_when_nothing_is_gained(train, data_set, tmp_path):
    result = train(data_set, tmp_path, max_epochs=20, patience=2, learning_rate=0.0)
    assert result.returncode == 0, result.stderr
    assert 3 <= last(tmp_path)["epoch"] < 20  # averaging rounds, which may count as a gain at first


@pytest.mark.slow
def test_training_starts_from_given_weights(train, data_set, weights, tmp_path):
    result = train(data_set, tmp_path, init_weights=weights["3d"], learning_rate=0.0, weight_decay=0.0, max_epochs=1)
    assert result.returncode == 0, result.stderr
    given = saved(weights["3d"])
    assert all(torch.equal(value, given[name]) for name, value in last(tmp_path)["network"].items())


@pytest.mark.slow
def test_gradients_are_accumulated(train, data_set, tmp_path):
    result = train(data_set, tmp_path, accumulation_steps=2, max_epochs=2, samples_per_epoch=8)
    assert result.returncode == 0, result.stderr
    state = last(tmp_path)
    assert state["iteration"] == 8
    assert {int(entry["step"]) for entry in state["optimizer"]["state"].values()} == {4}


@pytest.mark.slow
def test_the_cache_and_workers_change_nothing(trained, train, data_set, tmp_path):
    run, *_ = trained
    result = train(data_set, tmp_path, cache_rate=0.0, num_workers=2)
    assert result.returncode == 0, result.stderr
    one, other = last(run)["network"], last(tmp_path)["network"]
    assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.slow
def test_two_trainings_at_once_share_a_cache(train, data_set, tmp_path):
    cache = tmp_path / "cache"
    runs = [tmp_path / name for name in ("one", "other")]
    begun = [train.begin(data_set, run, cache_dir=cache, max_epochs=1) for run in runs]
    for one in begun:
        result = one.end()
        assert result.returncode == 0, result.stderr
    assert len(list(cache.iterdir())) == 3  # two cases to train on, one to validate, and nothing unfinished
    one, other = (last(run)["network"] for run in runs)
    assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize(("overlay", "views"), [("evaluate", 8), ("unet_2_5d", 4)])
def test_whole_cases_can_be_mirrored_in_evaluation(bundle, overlay, views):
    files = [str(bundle / "configs" / f"{name}.yaml") for name in ("train", overlay)]
    given = {"bundle_root": str(bundle), "run_device": torch.device("cpu"), "out_channels": 4, "tta": True}
    config = ConfigParser(ConfigParser.load_config_files(files) | given)
    assert len(config.get_parsed_content("inferer").views) == views

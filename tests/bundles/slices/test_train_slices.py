"""Training the classifier through the bundle's own command, and measuring it."""

import json
import re

import pytest
import torch


def saved(path):
    return torch.load(path, weights_only=True)


@pytest.fixture(scope="module")
def trained_slices(train_slices, slice_data, tmp_path_factory):
    run = tmp_path_factory.mktemp("trained_slices") / "run"
    result = train_slices(slice_data, run, max_epochs=6)
    assert result.returncode == 0, result.stderr
    return run, result.stderr


def test_a_training_leaves_weights_a_checkpoint_and_curves(trained_slices):
    run, log = trained_slices
    assert {"best.pt", "last.pt", "last.previous.pt", "tensorboard"} == {path.name for path in run.iterdir()}
    assert all(isinstance(value, torch.Tensor) for value in saved(run / "best.pt").values())
    last = saved(run / "last.pt")
    assert last["epoch"] == 6
    # What is validated and kept is the moving average of the weights, not the last ones.
    assert not torch.equal(last["averaged"]["conv1.weight"], last["network"]["conv1.weight"])
    curves = b"".join(path.read_bytes() for path in (run / "tensorboard").glob("events*"))
    for name in (b"train_loss", b"val_accuracy", b"val_auroc", b"val_loss"):
        assert name in curves
    assert "best val_accuracy so far" in log
    assert "resnet18: 11.1" in log
    assert "GFLOP" in log


def test_trained_weights_can_be_evaluated(trained_slices, run_bundle, slice_bundle, slice_data, table, tmp_path):
    run, _ = trained_slices
    keys = {"dataset_dir": slice_data, "ckpt_dir": run, "output_dir": tmp_path, "architecture": "resnet18"}
    keys |= {"image_size": [32, 32], "split": "test", "bootstrap_samples": 20, "device": "$torch.device('cpu')"}
    result = run_bundle(slice_bundle, "train evaluate", keys)
    assert result.returncode == 0, result.stderr
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["split"] == "test"
    assert metrics["items"] == 12
    assert metrics["threshold_from"] == "validation"
    assert set(metrics["scores"]) == {
        "accuracy", "sensitivity", "specificity", "precision", "f1", "auroc", "average_precision",
        "expected_calibration_error",
    }  # fmt: skip
    rows = table(tmp_path / "predictions.csv")
    assert [row["label"] for row in rows] == ["NonCOVID"] * 6 + ["COVID"] * 6
    for name in ("roc", "precision_recall", "confusion_matrix", "misclassified", "reliability"):
        assert (tmp_path / f"{name}.png").stat().st_size > 1000
    right = {("COVID", "COVID"): "true_positives", ("NonCOVID", "NonCOVID"): "true_negatives"}
    wrong = {("NonCOVID", "COVID"): "false_positives", ("COVID", "NonCOVID"): "false_negatives"}
    kinds = {(right | wrong)[row["label"], row["predicted"]] for row in rows}
    assert {path.stem for path in (tmp_path / "gradcam").glob("*.png")} == kinds


def test_a_training_goes_on_where_it_was_left(trained_slices, train_slices, slice_data, tmp_path):
    run, _ = trained_slices
    copy = tmp_path / "run"
    copy.mkdir()
    (copy / "last.pt").write_bytes((run / "last.pt").read_bytes())
    result = train_slices(slice_data, copy, max_epochs=7)
    assert result.returncode == 0, result.stderr
    assert "resuming after epoch 6" in result.stderr
    assert saved(copy / "last.pt")["epoch"] == 7


@pytest.mark.slow
def test_one_logit_with_the_schedule_of_moving_averages(train_slices, slice_data, tmp_path):
    keys = {"balance": "loss", "patience": 1, "learning_rate": 0.0, "max_epochs": 9, "ema_momentum": 0.999}
    result = train_slices(slice_data, tmp_path / "run", "one_logit moving_average", **keys)
    assert result.returncode == 0, result.stderr
    curves = b"".join(path.read_bytes() for path in (tmp_path / "run" / "tensorboard").glob("events*"))
    assert b"val_loss_average" in curves
    assert b"val_accuracy_average" in curves
    assert saved(tmp_path / "run" / "best.pt")["fc.1.weight"].shape[0] == 1
    assert saved(tmp_path / "run" / "last.pt")["early_stop"]["counts"]


@pytest.mark.slow
def test_a_run_in_parts_ends_like_one_that_was_not_stopped(train_slices, slice_data, tmp_path):
    keys = {"schedule": "constant", "warmup": 0.0, "dropout": 0.2, "mixup": 0.4}
    assert train_slices(slice_data, tmp_path / "whole", max_epochs=3, **keys).returncode == 0
    for epochs in (2, 3):
        assert train_slices(slice_data, tmp_path / "parts", max_epochs=epochs, **keys).returncode == 0
    whole, parts = (saved(tmp_path / name / "last.pt")["network"] for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


@pytest.mark.parametrize("overlay", ["", "moving_average"])
def test_mistakes_in_the_data_end_with_one_message(train_slices, own_slice_data, message, tmp_path, overlay):
    with (own_slice_data / "Data-split/COVID/valCT_COVID.txt").open("a") as file:
        file.write("train%0.png\n")
    result = train_slices(own_slice_data, tmp_path / "run", overlay)
    assert result.returncode == 2
    assert "train%0.png" in message(result)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("train%0.png,COVID,p2,test", r"images are listed more than once .*train%0.png in training and in test"),
        ("test%0.png,COVID,p1,test", r"slices of one patient .*row 2 \(training\) and row 4 \(test\)"),
        ("test%0.png,covid,p2,test", r"a label is none of the classes .*row 4: covid"),
        ("gone.png,COVID,p2,test", r"listed images do not exist .*gone.png"),
    ],
)
def test_mistakes_in_a_table_end_with_one_message(train_slices, own_slice_data, message, tmp_path, row, words):
    rows = ["train%0.png,COVID,p1,train", "val%0.png,COVID,p3,val", row]
    (own_slice_data / "CT_COVID" / "dataset.csv").write_text("\n".join(["path,label,patient,split", *rows]))
    result = train_slices(own_slice_data / "CT_COVID", tmp_path / "run")
    assert result.returncode == 2
    assert re.search(words, message(result))
    assert not (tmp_path / "run").exists()


def test_a_broken_picture_ends_with_its_message(train_slices, own_slice_data, message, tmp_path):
    (own_slice_data / "CT_COVID" / "train%0.png").write_bytes(b"")
    result = train_slices(own_slice_data, tmp_path / "run")
    assert result.returncode == 1
    assert "the image is empty" in message(result)

"""Scores by hand, thresholds, intervals over groups, and the files of an evaluation."""

import csv
import json
import math

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from PIL import Image

from pipeline.evaluation.slices import (
    Predictions,
    SliceEvaluation,
    choose_threshold,
    confusion,
    scores,
    slice_metrics,
    with_intervals,
)
from pipeline.evaluation.slices.figures import FIGURES

CLASSES = {"NonCOVID": 0, "COVID": 1}


def pair(positive):
    positive = np.asarray(positive, dtype=float)
    return np.stack([1 - positive, positive], axis=1)


LABELS = np.array([0, 0, 0, 1, 1])
SCORES = pair([0.1, 0.6, 0.2, 0.7, 0.4])


def test_scores_by_hand():
    found = scores(LABELS, SCORES, 0.5)
    # Said positive: 0.6 (wrong), 0.7 (right); missed: 0.4.
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["sensitivity"] == pytest.approx(1 / 2)
    assert found["specificity"] == pytest.approx(2 / 3)
    assert found["precision"] == pytest.approx(1 / 2)
    assert found["f1"] == pytest.approx(1 / 2)
    assert found["auroc"] == pytest.approx(5 / 6)  # of 6 pairs only 0.4 under 0.6 is wrong
    assert found["average_precision"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    # Each score is alone in its bin: the mean distance to what was true.
    assert found["expected_calibration_error"] == pytest.approx((0.1 + 0.6 + 0.2 + 0.3 + 0.6) / 5, abs=1e-6)
    assert confusion(LABELS, SCORES, 0.5).tolist() == [[2, 1], [1, 1]]


def test_one_class_alone_has_no_curve():
    found = scores(np.zeros(3, dtype=int), pair([0.1, 0.2, 0.7]), 0.5)
    assert math.isnan(found["auroc"])
    assert math.isnan(found["sensitivity"])
    assert found["specificity"] == pytest.approx(2 / 3)
    assert choose_threshold(np.zeros(3, dtype=int), pair([0.1, 0.2, 0.7])) is None


def test_several_classes_are_averaged():
    labels = np.array([0, 1, 2, 2])
    found = scores(labels, np.eye(3)[[0, 1, 2, 1]])
    assert found["accuracy"] == 0.75
    assert found["sensitivity"] == pytest.approx((1 + 1 + 0.5) / 3)
    assert found["specificity"] == pytest.approx((1 + 2 / 3 + 1) / 3)


def test_the_threshold_is_halfway_and_parts_best():
    assert choose_threshold(np.array([0, 0, 1, 1]), pair([0.1, 0.3, 0.5, 0.9])) == pytest.approx(0.4)
    assert choose_threshold(LABELS, SCORES) in (pytest.approx(0.3), pytest.approx(0.65))


def test_intervals_are_wider_over_patients_than_over_slices():
    generator = np.random.default_rng(0)
    patients = np.repeat(np.arange(20), 10)
    labels = np.repeat(generator.integers(0, 2, 20), 10)
    right = np.repeat(generator.random(20) < 0.7, 10)
    probabilities = pair(np.where(right, labels, 1 - labels) * 0.8 + 0.1)

    def score(y, p):
        return {"accuracy": scores(y, p, 0.5)["accuracy"]}

    by_patient = with_intervals(score, labels, probabilities, [str(n) for n in patients], samples=200)["accuracy"]
    by_slice = with_intervals(score, labels, probabilities, [str(n) for n in range(200)], samples=200)["accuracy"]
    assert by_patient.low <= by_patient.value <= by_patient.high
    # Of 20 patients, the deviation of a share of 0.7 is about 0.1; of 200 slices about 0.03.
    assert pytest.approx(by_patient.high - by_patient.low, rel=0.3) == 2 * 1.96 * 0.1
    assert by_slice.high - by_slice.low < 0.5 * (by_patient.high - by_patient.low)
    again = with_intervals(score, labels, probabilities, [str(n) for n in patients], samples=200)["accuracy"]
    assert again == by_patient


def predictions(count=40, classes=2):
    generator = np.random.default_rng(1)
    labels = np.arange(count) % classes
    logits = generator.normal(size=(count, classes)) + 2 * np.eye(classes)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    items = [{"case": f"c{n}", "label": label, "group": f"secret-patient-{n // 2}"} for n, label in enumerate(labels)]
    return Predictions.of_items(items, probabilities)


@pytest.mark.parametrize("classes", [CLASSES, {"a": 0, "b": 1, "c": 2}])
def test_the_files_of_an_evaluation(tmp_path, classes):
    found = predictions(classes=len(classes))
    threshold = 0.4 if len(classes) == 2 else None
    SliceEvaluation(tmp_path, classes, split="test", samples=50).write(found, threshold, "validation")
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["items"] == 40
    assert metrics["groups"] == 20
    assert metrics["threshold"] == threshold
    accuracy = metrics["scores"]["accuracy"]
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    assert accuracy["value"] == pytest.approx(scores(found.labels, found.probabilities, threshold)["accuracy"])
    assert np.trace(metrics["confusion_matrix"]["rows_are_truth"]) == round(40 * accuracy["value"])
    assert sum(one["items"] for one in metrics["reliability"]) == 40
    rows = list(csv.DictReader((tmp_path / "predictions.csv").open()))
    assert list(rows[0]) == ["case", "slice", "label", *(f"p_{name}" for name in classes), "predicted"]
    assert sum(row["label"] == row["predicted"] for row in rows) == round(40 * accuracy["value"])
    for name in FIGURES:
        with Image.open(tmp_path / name) as picture:
            assert picture.size[0] > 200
    assert not any("secret" in path.read_text() for path in tmp_path.glob("*.[cj]s*"))


def test_a_split_of_one_class_is_measured_too(tmp_path):
    found = Predictions.of_items([{"case": str(n), "label": 0} for n in range(4)], pair([0.1, 0.2, 0.3, 0.9]))
    SliceEvaluation(tmp_path, CLASSES, split="test", samples=20).write(found, None, "validation")
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["scores"]["auroc"]["value"] is None
    assert metrics["scores"]["specificity"]["value"] == 0.75


def test_metrics_of_validation():
    batches = [(LABELS[:3], SCORES[:3]), (LABELS[3:], SCORES[3:])]
    engine = Engine(lambda engine, batch: {"label": torch.tensor(batch[0]), "pred": torch.tensor(batch[1]).float()})
    for name, metric in slice_metrics().items():
        metric.attach(engine, name)
    metrics = engine.run(batches).metrics
    assert metrics["val_accuracy"] == pytest.approx(3 / 5)
    assert metrics["val_auroc"] == pytest.approx(5 / 6)
    assert metrics["val_loss"] == pytest.approx(-np.mean(np.log([0.9, 0.4, 0.8, 0.7, 0.4])), rel=1e-5)


def test_metrics_of_validation_of_three_classes():
    probabilities = torch.tensor([[0.8, 0.1, 0.1], [0.2, 0.3, 0.5], [0.1, 0.6, 0.3], [0.3, 0.4, 0.3]])
    batches = [([0, 2], probabilities[:2]), ([1, 2], probabilities[2:])]
    engine = Engine(lambda engine, batch: {"label": torch.tensor(batch[0]), "pred": batch[1]})
    for name, metric in slice_metrics().items():
        metric.attach(engine, name)
    metrics = engine.run(batches).metrics
    assert metrics["val_accuracy"] == pytest.approx(3 / 4)
    assert metrics["val_loss"] == pytest.approx(-np.mean(np.log([0.8, 0.5, 0.6, 0.3])), rel=1e-5)

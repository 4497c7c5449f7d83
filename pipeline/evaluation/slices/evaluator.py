"""An evaluation from predictions to files."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from pipeline.evaluation.intervals import SAMPLES
from pipeline.evaluation.slices.figures import write_figures
from pipeline.evaluation.slices.intervals import with_intervals
from pipeline.evaluation.slices.montages import write_montages
from pipeline.evaluation.slices.predictions import Predictions, is_first_process, predict
from pipeline.evaluation.slices.scores import as_json, choose_threshold, confusion, predicted, reliability, scores
from pipeline.export.files import make_folder, replacing, write_json

logger = logging.getLogger(__name__)


class SliceEvaluation:
    """Measures a classifier on one split, at a threshold that is chosen on the validation split.

    Writes `metrics.json`, `predictions.csv` and the figures.

    Args:
        output_dir: Where to.
        classes: Class name to value.
        split: Name of the split that is measured.
        threshold: Of the second of two classes; `None` chooses it on validation.
        samples: Draws of the bootstrap.
        seed: Of the bootstrap.
    """

    def __init__(
        self,
        output_dir: str | PathLike[str],
        classes: Mapping[str, int],
        *,
        split: str,
        threshold: float | None = None,
        samples: int = SAMPLES,
        seed: int = 0,
    ) -> None:
        self.folder = Path(output_dir)
        self.classes = sorted(classes, key=lambda name: classes[name])
        self.split = split
        self.threshold = threshold
        self.samples = samples
        self.seed = seed
        self.predictions: Predictions | None = None

    def run(
        self,
        evaluator: Any,
        items: Sequence[Mapping[str, Any]],
        validator: Any,
        validation_items: Sequence[Mapping[str, Any]],
    ) -> Predictions:
        """Predicts both splits and writes the files.

        Args:
            evaluator: Of the split that is measured (:func:`pipeline.evaluation.slices.predict`).
            items: Its data list.
            validator: Of the validation split; not run where the threshold is given, or for several classes.
            validation_items: Its data list.

        Returns:
            The predictions of the split.

        Raises:
            OutputError: When a file cannot be written.
        """
        predictions = predict(evaluator, items)
        chosen_on = "given"
        threshold = self.threshold
        if threshold is None and len(self.classes) == 2:
            known = predictions if self.split == "validation" else predict(validator, validation_items)
            threshold, chosen_on = choose_threshold(known.labels, known.probabilities), "validation"
        if is_first_process():
            self.write(predictions, threshold, chosen_on)
        self.predictions, self.threshold = predictions, threshold
        return predictions

    def montages(self, dataset: Any, network: nn.Module, layer: str, count: int) -> None:
        """Writes montages with Grad-CAM of the predictions (:func:`write_montages`), after :meth:`run`.

        Args:
            dataset: Of the split that was measured.
            network: The classifier.
            layer: Whose features are shown.
            count: Slices of a montage.
        """
        if self.predictions is not None and is_first_process():
            write_montages(
                self.folder, self.predictions, dataset, network, layer, threshold=self.threshold, count=count
            )

    def write(self, predictions: Predictions, threshold: float | None, chosen_on: str) -> None:
        """Writes the files of predictions.

        Args:
            predictions: Of the split.
            threshold: Of the second of two classes.
            chosen_on: Where it comes from.
        """
        folder = make_folder(self.folder)
        labels, probabilities = predictions.labels, predictions.probabilities
        found = with_intervals(
            partial(scores, threshold=threshold), labels, probabilities, predictions.groups,
            samples=self.samples, seed=self.seed,
        )  # fmt: skip
        for name, interval in found.items():
            logger.info("%s: %.3f [%.3f, %.3f]", name, interval.value, interval.low, interval.high)
        matrix = confusion(labels, probabilities, threshold)
        means, shares, counts = reliability(labels, probabilities)
        content = {
            "split": self.split,
            "items": len(predictions),
            "groups": len(set(predictions.groups)),
            "of_class": {name: int((labels == value).sum()) for value, name in enumerate(self.classes)},
            "positive": self.classes[1] if len(self.classes) == 2 else None,
            "threshold": threshold,
            "threshold_from": chosen_on if threshold is not None else None,
            "scores": {name: {k: as_json(v) for k, v in asdict(one).items()} for name, one in found.items()},
            "bootstrap": {"draws": self.samples, "over": "groups"},
            "confusion_matrix": {"classes": self.classes, "rows_are_truth": matrix.tolist()},
            "reliability": [
                {"mean_probability": as_json(float(m)), "share": as_json(float(s)), "items": int(n)}
                for m, s, n in zip(means, shares, counts, strict=True)
            ],
        }
        write_json(folder / "metrics.json", content)
        write_predictions(folder / "predictions.csv", predictions, self.classes, threshold)
        write_figures(folder, predictions, self.classes, threshold)


def write_predictions(path: Path, predictions: Predictions, classes: Sequence[str], threshold: float | None) -> None:
    """Writes a row an item: `case,slice,label,p_<class>…,predicted`.

    Args:
        path: The CSV.
        predictions: What was said.
        classes: Names, in the order of their values.
        threshold: Of the second of two classes.
    """
    chosen: NDArray[np.int64] = predicted(predictions.probabilities, threshold)
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["case", "slice", "label", *(f"p_{name}" for name in classes), "predicted"])
        for number, case in enumerate(predictions.cases):
            probabilities = [f"{value:.6f}" for value in predictions.probabilities[number]]
            truth, said = classes[predictions.labels[number]], classes[chosen[number]]
            writer.writerow([case, predictions.slices[number], truth, *probabilities, said])

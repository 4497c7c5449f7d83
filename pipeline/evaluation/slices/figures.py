"""Figures of an evaluation: curves, confusion matrix, scores of the misclassified, reliability."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_curve

from pipeline.evaluation.calibration import BINS
from pipeline.evaluation.slices.predictions import Predictions
from pipeline.evaluation.slices.scores import confusion, predicted, reliability
from pipeline.export.charts import BLUE, GRAY, GREEN, ORANGE, Series, chart
from pipeline.export.files import replacing

FIGURES = ("roc.png", "precision_recall.png", "confusion_matrix.png", "misclassified.png", "reliability.png")
"""Names of the figures."""

_COLOURS = (BLUE, ORANGE, GREEN, GRAY)
_CELL = 130


def write_figures(folder: Path, predictions: Predictions, classes: Sequence[str], threshold: float | None) -> None:
    """Writes :data:`FIGURES`; curves of classes that are alone in the data are left out of them.

    Args:
        folder: Where to.
        predictions: What was said.
        classes: Names, in the order of their values.
        threshold: Of the second of two classes.

    Raises:
        OutputError: When a file cannot be written.
    """
    labels, probabilities = predictions.labels, predictions.probabilities
    pictures = (
        _roc(labels, probabilities, classes),
        _precision_recall(labels, probabilities, classes),
        confusion_picture(confusion(labels, probabilities, threshold), classes),
        _misclassified(labels, probabilities, classes, threshold),
        _reliability(labels, probabilities),
    )
    for name, picture in zip(FIGURES, pictures, strict=True):
        with replacing(folder / name) as temporary:
            picture.save(temporary, format="PNG")


def _shown(labels: NDArray[np.int64], classes: Sequence[str]) -> list[int]:
    """The classes that have a curve: of two the second, of several all; both answers must be there."""
    wanted = [1] if len(classes) == 2 else range(len(classes))
    return [value for value in wanted if 0 < int((labels == value).sum()) < len(labels)]


def _roc(labels: NDArray[np.int64], probabilities: NDArray[np.float64], classes: Sequence[str]) -> Image.Image:
    series = [Series(points=[(0, 0), (1, 1)], colour=GRAY, kind="dashed")]
    for number, value in enumerate(_shown(labels, classes)):
        across, up, _ = roc_curve(labels == value, probabilities[:, value])
        name = f"{classes[value]} {auc(across, up):.3f}"
        series.append(Series(points=list(zip(across, up, strict=True)), colour=_COLOURS[number % 4], name=name))
    return chart(series, title="ROC curve (area)", x_name="1 - specificity", y_name="sensitivity")


def _precision_recall(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], classes: Sequence[str]
) -> Image.Image:
    series = []
    for number, value in enumerate(_shown(labels, classes)):
        precision, recall, _ = precision_recall_curve(labels == value, probabilities[:, value])
        name = f"{classes[value]} {average_precision_score(labels == value, probabilities[:, value]):.3f}"
        points = list(zip(recall[:-1], precision[:-1], strict=True))
        series.append(Series(points=points, colour=_COLOURS[number % 4], name=name))
    return chart(series, title="Precision and recall (average)", x_name="recall", y_name="precision")


def _misclassified(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], classes: Sequence[str], threshold: float | None
) -> Image.Image:
    """How sure the classifier was where it was wrong."""
    chosen = predicted(probabilities, threshold)
    wrong = chosen != labels
    two = len(classes) == 2
    score = probabilities[:, 1] if two else probabilities.max(axis=1)
    edges = np.linspace(0, 1, BINS + 1)
    parts = [(value, np.histogram(score[wrong & (labels == value)], edges)[0]) for value in range(len(classes))]
    highest = max(1, *(int(counts.max()) for _, counts in parts))
    width = 1 / BINS / len(parts)
    series = [
        Series(
            points=[(float(edge) + number * width, float(n)) for edge, n in zip(edges[:-1], counts, strict=True)],
            colour=_COLOURS[number % 4], kind="bars", width=width, name=f"truly {classes[value]}",
        )
        for number, (value, counts) in enumerate(parts)
    ]  # fmt: skip
    return chart(
        series, title=f"Misclassified: {int(wrong.sum())} of {len(labels)}",
        x_name=f"probability of {classes[1]}" if two else "highest probability", y_name="items",
        y_range=(0, highest),
    )  # fmt: skip


def _reliability(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> Image.Image:
    means, shares, counts = reliability(labels, probabilities)
    filled = counts > 0
    part = counts / counts.sum()
    edges = np.linspace(0, 1, BINS + 1)[:-1]
    return chart(
        [
            Series(points=list(zip(edges, part, strict=True)), colour=GRAY, kind="bars", width=1 / BINS, name="items"),
            Series(points=[(0, 0), (1, 1)], colour=GRAY, kind="dashed"),
            Series(points=list(zip(means[filled], shares[filled], strict=True)), kind="line", name="share"),
            Series(points=list(zip(means[filled], shares[filled], strict=True)), kind="points"),
        ],
        title="Reliability",
        x_name="probability",
        y_name="share that is right",
    )


def confusion_picture(matrix: NDArray[np.int64], classes: Sequence[str]) -> Image.Image:
    """The confusion matrix as a picture, a row a true class.

    Args:
        matrix: `(K, K)`.
        classes: Names, in the order of their values.
    """
    size, left, top = len(classes) * _CELL, 150, 70
    picture = Image.new("RGB", (left + size + 20, top + size + 20), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((left + size / 2, 12), "predicted", "black", _font(16), anchor="ma")
    draw.text((10, top - 18), "truth", "black", _font(16), anchor="lm")
    rows = np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    for row, name in enumerate(classes):
        draw.text((left - 10, top + (row + 0.5) * _CELL), name[:18], "black", _font(14), anchor="rm")
        draw.text((left + (row + 0.5) * _CELL, top - 18), name[:18], "black", _font(14), anchor="mm")
        for column in range(len(classes)):
            share = float(matrix[row, column] / rows[row, 0])
            box = (left + column * _CELL, top + row * _CELL, left + (column + 1) * _CELL, top + (row + 1) * _CELL)
            fill = tuple(round(255 - share * (255 - level)) for level in BLUE)
            draw.rectangle(box, fill=fill, outline="white")
            text = f"{matrix[row, column]}\n{100 * share:.0f} %"
            centre = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
            draw.text(centre, text, "white" if share > 0.5 else "black", _font(18), anchor="mm", align="center")
    return picture


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)

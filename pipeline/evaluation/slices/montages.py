"""Montages with Grad-CAM of what a classifier got right and wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from pipeline.evaluation.slices.predictions import Predictions
from pipeline.evaluation.slices.scores import predicted
from pipeline.export.files import make_folder, replacing
from pipeline.export.overlay import attention_overlay, montage
from pipeline.inference.gradcam import class_activation


def write_montages(
    folder: str | Path,
    predictions: Predictions,
    dataset: Any,
    network: nn.Module,
    layer: str,
    *,
    threshold: float | None,
    count: int = 8,
) -> list[str]:
    """Writes `gradcam/true_positives.png` and so on; of several classes `right.png` and `wrong.png`.

    Each shows the slices that the classifier was most sure of, as the network saw them, beside what spoke for the
    positive class (of several: for the class that it chose).

    Args:
        folder: Where `gradcam` goes.
        predictions: What was said of the data set's items, in their order.
        dataset: Gives the network's input under `image`.
        network: Takes `(B, C, H, W)` to logits.
        layer: Whose features are shown.
        threshold: Of the second of two classes.
        count: Slices of a montage; 0 writes none.

    Returns:
        The names of the montages.
    """
    if count < 1:
        return []
    chosen = predicted(predictions.probabilities, threshold)
    target = make_folder(Path(folder) / "gradcam")
    written = []
    for name, members in _kinds(predictions, chosen).items():
        if not members.size:
            continue
        certainty = predictions.probabilities[members, chosen[members]]
        shown = members[np.argsort(-certainty, kind="stable")[:count]]
        pictures, captions = [], []
        for number in shown:
            wanted = 1 if predictions.probabilities.shape[1] == 2 else int(chosen[number])
            pictures.append(_picture(dataset[int(number)]["image"], network, layer, wanted))
            captions.append(f"{predictions.cases[number][:22]}  {predictions.probabilities[number, wanted]:.2f}")
        with replacing(target / f"{name}.png") as temporary:
            montage(pictures, captions).save(temporary, format="PNG")
        written.append(name)
    return written


def _kinds(predictions: Predictions, chosen: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    labels = predictions.labels
    if predictions.probabilities.shape[1] != 2:
        return {"right": np.flatnonzero(chosen == labels), "wrong": np.flatnonzero(chosen != labels)}
    return {
        f"{'true' if right else 'false'}_{'positives' if said else 'negatives'}": np.flatnonzero(
            (chosen == said) & ((labels == said) == right)
        )
        for said in (1, 0)
        for right in (True, False)
    }


def _picture(image: torch.Tensor, network: nn.Module, layer: str, target: int) -> Image.Image:
    plain = image.as_subclass(torch.Tensor)
    attention = class_activation(network, plain[None], layer, target)[0].numpy()
    middle = plain[len(plain) // 2].numpy()
    spread = float(np.ptp(middle)) or 1.0
    gray = ((middle - middle.min()) / spread * 255).astype(np.uint8)
    pair: Sequence[Image.Image] = (Image.fromarray(gray).convert("RGB"), attention_overlay(gray, attention))
    both = Image.new("RGB", (2 * gray.shape[1], gray.shape[0]))
    for number, picture in enumerate(pair):
        both.paste(picture, (number * gray.shape[1], 0))
    return both

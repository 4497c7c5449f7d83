"""Diagnoses of slices, asked by an annotator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monailabel.interfaces.tasks.infer_v2 import InferType

from pipeline.evaluation.slices.scores import predicted
from pipeline.inference.aggregation import aggregate
from pipeline.label_app.configured import ConfiguredTask


class ClassificationTask(ConfiguredTask):
    """The classification bundle: a picture or a whole CT in, numbers for it and for each slice out.

    Args:
        bundle: The bundle's folder.
        conf: What the server was started with.
    """

    def __init__(self, bundle: Path, *, conf: Mapping[str, str]) -> None:
        super().__init__(bundle, (), "model.pt", conf=conf, type=InferType.CLASSIFICATION, add_post_restore=False)

    def writer(self, data: dict[str, Any], extension: Any = None, dtype: Any = None) -> tuple[None, dict[str, Any]]:
        """No file; the probabilities, as MONAI Label's viewers expect them, and slice by slice."""
        config = self.bundle_config.get_parsed_content
        classes: dict[str, int] = config("classes")
        names = sorted(classes, key=lambda name: classes[name])
        probabilities = data["pred"].as_subclass(torch.Tensor).cpu()
        content = slice_scores(data["slices"], data["depth"], probabilities, names, config("top"), config("threshold"))
        return None, content


def slice_scores(
    slices: Sequence[int],
    depth: int,
    probabilities: torch.Tensor,
    names: Sequence[str],
    top: float,
    threshold: float | None,
) -> dict[str, Any]:
    """The probabilities of a case as JSON.

    Args:
        slices: Which slices were classified.
        depth: How many slices there are.
        probabilities: `(N, K)` of these.
        names: Of the classes, in the order of their values.
        top: Share of the slices whose mean is the volume's probability.
        threshold: Of the second of two classes; `None` for the most probable class.

    Returns:
        `prediction`, a score a class; `predicted`; `slices`, those that show lung; `depth`.
    """
    volume = aggregate(probabilities, top)
    chosen = predicted(probabilities.numpy(), threshold)
    rows = zip(slices, probabilities.tolist(), chosen.tolist(), strict=True)
    return {
        "prediction": [
            {"idx": index, "label": name, "score": float(volume[index])} for index, name in enumerate(names)
        ],
        "predicted": names[int(predicted(volume[None].numpy(), threshold)[0])],
        "slices": [
            {"slice": int(index), **dict(zip(names, row, strict=True)), "predicted": names[said]}
            for index, row, said in rows
        ],
        "depth": int(depth),
    }

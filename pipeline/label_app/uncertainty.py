"""How uncertain a model is of an image: the images that teach most are labelled first."""

from __future__ import annotations

import math
from typing import Any

import torch
from monailabel.interfaces.tasks.scoring import ScoringMethod
from monailabel.tasks.infer.basic_infer import CallBackTypes

from pipeline.label_app.entropy import uncertainty


class UncertaintyScoring(ScoringMethod):
    """Writes `uncertainty` into the record of each image without a label, for the strategy of that name.

    An image is scored again when the weights have changed.

    Args:
        task: The model that is asked.
    """

    def __init__(self, task: Any) -> None:
        super().__init__("Entropy of what the 3D model says, where it is least certain")
        self.task = task

    def __call__(self, request: dict[str, Any], datastore: Any) -> dict[str, Any]:
        """Scores what has no score of these weights yet.

        Args:
            request: `max_samples` bounds how many.
            datastore: MONAI Label's.

        Returns:
            How many images have no label, and how many were scored now.
        """
        weights = self.task.stamp()
        images = datastore.get_unlabeled_images()
        old = [image for image in images if datastore.get_image_info(image).get("uncertainty_of") != weights]
        scored = failed = 0
        for image in old[: int(request.get("max_samples") or len(old))]:
            score = self._score(datastore.get_image_uri(image), request.get("device"))
            failed += math.isnan(score)
            scored += not math.isnan(score)
            datastore.update_image_info(
                image, {"uncertainty": 0.0 if math.isnan(score) else score, "uncertainty_of": weights}
            )
        return {"unlabeled": len(images), "scored": scored, "failed": failed}

    def _score(self, path: str, device: str | None) -> float:
        kept: list[torch.Tensor] = []

        def keep(data: dict[str, Any]) -> dict[str, Any]:
            kept.append(data["pred"])
            return data

        request = {"image": path, "device": device, "skip_writer": True}
        try:
            self.task(request, callbacks={CallBackTypes.INFERER: keep})
        except Exception:  # noqa: BLE001  # boundary: an image that cannot be read must not keep the others from a score
            return math.nan
        return uncertainty(kept[0])

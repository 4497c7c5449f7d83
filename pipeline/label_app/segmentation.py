"""Lesions of a whole CT, asked by an annotator."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor
from monailabel.interfaces.tasks.infer_v2 import InferType

from pipeline.label_app.configured import ConfiguredTask


class SegmentationTask(ConfiguredTask):
    """A variant of a segmentation bundle; see :class:`pipeline.label_app.configured.ConfiguredTask`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options, type=InferType.SEGMENTATION)

    def writer(self, data: dict[str, Any], extension: Any = None, dtype: Any = None) -> tuple[Any, dict[str, Any]]:
        """The label map as a file on the image's grid; the volume of each class, and what was noticed, beside it."""
        classes = self.bundle_config.get_parsed_content("classes")
        file, _ = super().writer(data, extension, dtype)
        return file, summary(data["pred"], data["image"], classes)


def summary(label_map: torch.Tensor, image: MetaTensor, classes: dict[str, int]) -> dict[str, Any]:
    """What is said beside a label map.

    Args:
        label_map: uint8 `(…, X, Y, Z)` on the native grid.
        image: The network's input; its meta say what the native grid is.
        classes: Class name to value, background 0.

    Returns:
        `volume_ml` by class, whether the map is `empty`, and `findings` as sentences.
    """
    voxels = np.bincount(np.asarray(label_map).ravel(), minlength=max(classes.values()) + 1)
    affine = np.asarray(image.meta["original_affine"], dtype=np.float64)
    voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) / 1000
    volumes = {name: round(float(voxels[value]) * voxel_ml, 3) for name, value in classes.items() if value > 0}
    return {
        "volume_ml": volumes,
        "empty": not voxels[1:].any(),
        "findings": [str(finding) for finding in image.meta.get("findings", [])],
    }

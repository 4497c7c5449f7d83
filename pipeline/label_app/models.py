"""What the app offers: models, what trains them further, and what chooses the next image."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from monailabel.tasks.activelearning.epistemic import Epistemic
from monailabel.tasks.activelearning.first import First
from monailabel.tasks.activelearning.random import Random

from pipeline.bundle import find_bundle
from pipeline.label_app.classification import ClassificationTask
from pipeline.label_app.segmentation import SegmentationTask
from pipeline.label_app.training import TrainingTask
from pipeline.label_app.uncertainty import UncertaintyScoring

logger = logging.getLogger(__name__)

DESCRIPTION = "Lesions in chest CT and slice diagnoses, by ctvol's bundles. For research, not for patients."
VERSION = version("ctvol")

VARIANTS: dict[str, tuple[tuple[str, ...], str]] = {
    "segmentation_3d": ((), "model.pt"),
    "segmentation_2_5d": (("unet_2_5d.yaml",), "model_2_5d.pt"),
}
"""The models of the segmentation bundle: overlays and shipped weights."""
CLASSIFICATION = "classification"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the server was started with.

    Attributes:
        app: The app's folder; weights that are trained here go to its `model/`.
        segmentation: The segmentation bundle's folder.
        classification: The classification bundle's folder.
        conf: The server's `--conf`.
    """

    app: Path
    segmentation: Path
    classification: Path
    conf: Mapping[str, str]

    @classmethod
    def of(cls, app_dir: str, conf: Mapping[str, str]) -> Settings:
        """From what MONAI Label hands to an app."""
        return cls(
            app=Path(app_dir),
            segmentation=find_bundle(conf.get("segmentation", "ct_lesion_segmentation")),
            classification=find_bundle(conf.get("classification", "ct_slice_classification")),
            conf=conf,
        )

    def variants(self) -> dict[str, tuple[tuple[str, ...], str]]:
        """Those of :data:`VARIANTS` that the segmentation bundle has."""
        configs = self.segmentation / "configs"
        return {name: one for name, one in VARIANTS.items() if all((configs / overlay).is_file() for overlay in one[0])}

    def trained(self, name: str) -> Path:
        """Where a model's own weights are, once it has been trained here."""
        return self.app / "model" / f"{name}.pt"


def infer_tasks(settings: Settings) -> dict[str, Any]:
    """The models that have weights, by name."""
    tasks: dict[str, Any] = {
        name: SegmentationTask(
            settings.segmentation, overlays, weights, trained=settings.trained(name), conf=settings.conf
        )
        for name, (overlays, weights) in settings.variants().items()
    }
    tasks[CLASSIFICATION] = ClassificationTask(settings.classification, conf=settings.conf)
    for name, task in tasks.items():
        if not task.valid:
            logger.warning("%s is not offered: %s has no weights", name, task.bundle)
    return {name: task for name, task in tasks.items() if task.valid}


def train_tasks(settings: Settings) -> dict[str, Any]:
    """What can be trained further, by the same names."""
    return {
        name: TrainingTask(settings.segmentation, overlays, weights, trained=settings.trained(name), conf=settings.conf)
        for name, (overlays, weights) in settings.variants().items()
    }


def strategies() -> dict[str, Any]:
    """What chooses the next image to label."""
    chosen = Epistemic(key="uncertainty", desc="The image that the 3D model is least certain of")
    return {"uncertainty": chosen, "first": First(), "random": Random()}


def scoring_methods(tasks: Mapping[str, Any]) -> dict[str, Any]:
    """What scores the images that have no label yet."""
    task = tasks.get("segmentation_3d")
    return {} if task is None else {"uncertainty": UncertaintyScoring(task)}

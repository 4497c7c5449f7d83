"""Training a model further on the labels that annotators saved."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monailabel.tasks.train.bundle import BundleTrainTask

from pipeline.export.files import make_folder, replacing
from transforms.errors import DataListError

logger = logging.getLogger(__name__)

FINE_TUNE = "fine_tune.yaml"
CHOICES: dict[str, Any] = {"max_epochs": 20, "samples_per_epoch": 64, "learning_rate": 0.0001, "val_split": 0.2}
"""What an annotator can set, and what it is otherwise."""


class TrainingTask(BundleTrainTask):
    """MONAI Label's task for a bundle's training, that reads overlays, and writes weights into the app.

    The bundle stays as it was shipped. A training starts from the weights that the model has now, or from the shipped
    ones (`pretrained: false`), and replaces the app's weights when it is through.

    Args:
        bundle: The bundle's folder.
        overlays: Configs of it on top of `train.yaml`, the variant's.
        weights: Name of the shipped weights.
        trained: Where the new weights go.
        conf: What the server was started with.
    """

    def __init__(
        self, bundle: Path, overlays: Sequence[str], weights: str, *, trained: Path, conf: Mapping[str, str]
    ) -> None:
        self.overlays = [str(bundle / "configs" / name) for name in (*overlays, FINE_TUNE)]
        self.bundle_config_path: Any = None
        self.shipped, self.trained = bundle / "models" / weights, trained
        super().__init__(str(bundle), dict(conf))
        if self.valid:
            self.bundle_config_path = [self.bundle_config_path, *self.overlays]

    def _load_bundle_config(self, path: str, config: str) -> ConfigParser:
        parser = ConfigParser()
        parser.read_config([config, *self.overlays])
        parser["bundle_root"] = path
        return parser

    def config(self) -> dict[str, Any]:
        """What an annotator can set."""
        offered = super().config()
        return {"device": offered["device"], "pretrained": True, **CHOICES}

    def _load_checkpoint(self, *arguments: Any) -> None:
        """Nothing: the config loads the weights that it starts from."""

    def _partition_datalist(
        self, datalist: list[dict[str, str]], request: Mapping[str, Any], shuffle: bool = False
    ) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
        if not datalist:
            raise DataListError("no image has a final label yet", remedy="Save one first")
        split = {**CHOICES, **request}
        training, validation = super()._partition_datalist(datalist, split, shuffle)
        if not training or not validation:
            logger.warning("too few labels to keep some aside: training and validation use all %d", len(datalist))
            return datalist, datalist
        return training, validation

    def __call__(self, request: Mapping[str, Any], datastore: Any) -> dict[str, Any]:
        """Trains; `request` holds what an annotator set."""
        chosen = {**CHOICES, **request, "multi_gpu": False}
        result: dict[str, Any] = super().__call__(chosen, datastore)
        return result

    def run_single_gpu(self, request: Mapping[str, Any], overrides: dict[str, Any]) -> None:
        """Runs the bundle's training in the app's folder, and publishes what it found best."""
        run = self.trained.with_suffix(".run")
        shutil.rmtree(run, ignore_errors=True)
        start = self.trained if request.get("pretrained", True) and self.trained.is_file() else self.shipped
        own = {"ckpt_dir": str(run), "init_weights": str(start), "resume": False}
        chosen = {name: request[name] for name in ("samples_per_epoch", "learning_rate")}
        super().run_single_gpu(request, {**overrides, **own, **chosen})
        with replacing(make_folder(self.trained.parent) / self.trained.name) as temporary:
            shutil.copy(run / "best.pt", temporary)
        logger.info("%s now answers with the weights of this training", self.trained.stem)

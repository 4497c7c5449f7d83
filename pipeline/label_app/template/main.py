"""The app that MONAI Label's server loads. What it does is in `pipeline.label_app` of ctvol; this file may be changed.

`--conf segmentation DIR` and `--conf classification DIR` name other bundles than the shipped ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from monailabel.interfaces.app import MONAILabelApp

from pipeline.label_app import models, service

Request = dict[str, Any]


class CTVolApp(MONAILabelApp):
    """Lesions in 3D and 2.5D, and slices, as the bundles describe them."""

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        self.settings = models.Settings.of(app_dir, conf)
        super().__init__(app_dir, studies, conf, name="ctvol", description=models.DESCRIPTION, version=models.VERSION)

    def init_infers(self) -> Request:
        """The models, by name."""
        return models.infer_tasks(self.settings)

    def init_trainers(self) -> Request:
        """What can be trained further, by the same names."""
        return models.train_tasks(self.settings)

    def init_strategies(self) -> Request:
        """What chooses the next image."""
        return models.strategies()

    def init_scoring_methods(self) -> Request:
        """What scores images for that."""
        return models.scoring_methods(self._infers)

    def infer(self, request: Request, datastore: Any = None) -> Request:
        """Runs a model; what goes wrong has a status and a reason."""
        return service.infer(super().infer, request, datastore or self.datastore(), models=self._infers)

    def batch_infer(self, request: Request, datastore: Any = None) -> Request:
        """Runs a model on many images; one that fails is named, the others are done."""
        run: Callable[..., Request] = super().batch_infer
        return service.batch_infer(self, run, request, datastore)

    def bundle_path(self, model: str | None) -> str | None:
        """Asked by MONAI Label before anything long begins: the place to refuse a model that is not there."""
        if model is not None:
            service.check_model(model, {**self._infers, **self._trainers})
        path: str | None = super().bundle_path(model)
        return path

    def init_remote_datastore(self) -> Any:
        """An archive, spoken to over DICOMweb."""
        return service.careful(super().init_remote_datastore())

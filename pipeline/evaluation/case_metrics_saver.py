"""Metrics of every case of an evaluator's run, as files."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, cast

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.data.meta_tensor import MetaTensor
from monai.data.utils import affine_to_spacing, decollate_batch
from monai.engines.utils import IterationEvents

from pipeline.evaluation.case_metrics import TOLERANCE_MM, ClassMetrics, case_metrics
from pipeline.evaluation.metric_files import write_metrics
from transforms.errors import GeometryError, SettingError

_AFFINE_TOLERANCE_MM = 1e-2


class CaseMetricsSaver:
    """Handler for a MONAI ``SupervisedEvaluator``: compares each case with its reference, writes files at the end.

    After the postprocessing of each iteration it takes prediction and reference, label maps ``(1, X, Y, Z)`` on one
    grid, from the engine's output, and the case's name from the output or the batch; at the end of the epoch the first
    process writes ``metrics.csv`` and ``metrics.json`` of the cases of all processes.

    Args:
        output_dir: Folder for the files.
        classes: Class name to label value; the background (0) is left out.
        tolerance_mm: Surface distance that still counts as agreement; one number, or class name to number.
        pred_key: Key of the predicted label map.
        label_key: Key of the reference label map.

    Example:
        In a bundle's ``evaluate.yaml``::

            handlers:
            - _target_: pipeline.evaluation.CaseMetricsSaver
              output_dir: '@output_dir'
              classes: '@classes'
    """

    def __init__(
        self,
        output_dir: str | PathLike[str],
        classes: Mapping[str, int],
        *,
        tolerance_mm: float | Mapping[str, float] = TOLERANCE_MM,
        pred_key: str = "pred",
        label_key: str = "label",
    ) -> None:
        self.output_dir = Path(output_dir)
        self.classes = dict(classes)
        self.tolerance_mm = tolerance_mm
        self.pred_key = pred_key
        self.label_key = label_key
        self.cases: dict[str, dict[str, ClassMetrics]] = {}

    def attach(self, engine: Engine) -> None:
        """Attach to an engine.

        Args:
            engine: The evaluator.
        """
        engine.add_event_handler(Events.EPOCH_STARTED, self.start)
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self.update)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Forget the cases of an earlier run.

        Args:
            engine: The evaluator.
        """
        self.cases = {}

    def update(self, engine: Engine) -> None:
        """Compare the cases of one iteration with their references.

        Args:
            engine: The evaluator.

        Raises:
            GeometryError: When prediction and reference are not on one grid, or their spacing is not known.
            LabelError: When one of them is not a label map.
            SettingError: When one of them is missing.
        """
        outputs, batches = _items(engine.state.output), _items(engine.state.batch)
        for index, output in enumerate(outputs):
            batch = batches[index] if index < len(batches) else {}
            name = self._unused(str(output.get("case", batch.get("case", f"case_{len(self.cases)}"))))
            pred, truth = (self._label_map(output, batch, key, name) for key in (self.pred_key, self.label_key))
            self.cases[name] = case_metrics(
                pred, truth, _spacing_mm(pred, truth, name), self.classes, tolerance_mm=self.tolerance_mm
            )

    def finish(self, engine: Engine) -> None:
        """Gather the cases of all processes and write the files in the first.

        Args:
            engine: The evaluator.

        Raises:
            OutputError: When a file cannot be written.
        """
        cases = self.cases
        if idist.get_world_size() > 1:
            # A sampler may give a case to two processes to even them out: by name it counts once.
            gathered = cast(list[dict[str, dict[str, ClassMetrics]]], idist.all_gather(self.cases))
            cases = {name: metrics for part in gathered for name, metrics in part.items()}
        if idist.get_rank() == 0:
            write_metrics(self.output_dir, cases, tolerance_mm=self.tolerance_mm)

    def _label_map(self, output: Mapping[str, Any], batch: Mapping[str, Any], key: str, case: str) -> torch.Tensor:
        found = output.get(key, batch.get(key))
        if not isinstance(found, torch.Tensor):
            raise SettingError(
                f"nothing to compare under the key `{key}`",
                where=case,
                expected="a label map (1, X, Y, Z)",
                remedy="Evaluate data that have references, and keep the key in postprocessing",
            )
        return found

    def _unused(self, name: str) -> str:
        """No case takes another's place: a second of the same name gets a number."""
        number, unused = 2, name
        while unused in self.cases:
            number, unused = number + 1, f"{name}-{number}"
        return unused


def _items(state: Any) -> list[Any]:
    """The cases of an iteration: of a decollated list, a batch, or a single case that was never batched."""
    if not isinstance(state, dict):
        return list(state)
    if all(value.ndim <= 4 for value in state.values() if isinstance(value, torch.Tensor)):
        return [state]
    items: list[Any] = decollate_batch(state)
    return items


def _spacing_mm(pred: torch.Tensor, truth: torch.Tensor, case: str) -> tuple[float, ...]:
    affines = [np.asarray(volume.affine) for volume in (truth, pred) if isinstance(volume, MetaTensor)]
    if not affines:
        raise GeometryError("the voxels' spacing is not known", where=case, expected="label maps with an affine")
    if len(affines) == 2 and not np.allclose(affines[0], affines[1], rtol=0.0, atol=_AFFINE_TOLERANCE_MM):
        raise GeometryError(
            "prediction and reference are not on one grid",
            where=case,
            found=f"affines that differ by up to {np.abs(affines[0] - affines[1]).max():.3g}",
            expected="the same affine",
            remedy="Keep the reference on the grid that the prediction is restored to",
        )
    return tuple(float(step) for step in affine_to_spacing(affines[0]))

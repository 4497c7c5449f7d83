"""Metrics of every case of an evaluator's run, as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
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

from pipeline.datasets.patients import patient_of
from pipeline.evaluation.calibration import calibration_errors
from pipeline.evaluation.case_metrics import TOLERANCE_MM, MetricSettings, case_metrics
from pipeline.evaluation.intervals import SAMPLES
from pipeline.evaluation.lesions import LESION_OVERLAP
from pipeline.evaluation.report import write_evaluation
from pipeline.evaluation.results import Evaluation, ScoredCase
from pipeline.evaluation.summary import Bootstrap
from transforms.errors import GeometryError, SettingError
from transforms.grids import Grid
from transforms.grids.restoring import Activation, class_shares

_AFFINE_TOLERANCE_MM = 1e-2


class CaseMetricsSaver:
    """Handler for a MONAI ``SupervisedEvaluator``: compares each case with its reference, writes files at the end.

    After the postprocessing of each iteration it takes prediction and reference, label maps ``(1, X, Y, Z)`` on one
    grid, from the engine's output, and the case's name from the output or the batch; at the end of the epoch the first
    process writes the files of :func:`pipeline.evaluation.write_evaluation` with the cases of all processes. Cases
    that failed in a :class:`pipeline.cohorts.CaseEvaluator` are rows too.

    Args:
        output_dir: Folder for the files.
        classes: Class name to label value; the background (0) is left out.
        tolerance_mm: Surface distance that still counts as agreement; one number, or class name to number.
        lesion_overlap: Share of a lesion that must be covered to count as found; with 0 one voxel is enough.
        min_lesion_ml: Smaller lesions are not counted among lesions.
        samples: Draws of the bootstrap.
        seed: Of the bootstrap.
        patient_pattern: Finds the patient in the case's name, where the data list names none.
        activation: What makes probabilities of the logits; None for no calibration error.
        merge: Channels of the network that count as one class.
        pred_key: Key of the predicted label map, and of the logits before the postprocessing.
        label_key: Key of the reference label map.
        image_key: Key of the image, on whose grid the logits are.

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
        lesion_overlap: float = LESION_OVERLAP,
        min_lesion_ml: float = 0.0,
        samples: int = SAMPLES,
        seed: int = 0,
        patient_pattern: str | None = None,
        activation: Activation | None = None,
        merge: Sequence[Sequence[int]] | None = None,
        pred_key: str = "pred",
        label_key: str = "label",
        image_key: str = "image",
    ) -> None:
        self.output_dir = Path(output_dir)
        self.classes = dict(classes)
        self.settings = MetricSettings(
            tolerance_mm=tolerance_mm, lesion_overlap=lesion_overlap, min_lesion_ml=min_lesion_ml
        )
        self.draws = Bootstrap(samples=samples, seed=seed)
        self.patient_pattern = patient_pattern
        self.activation = activation
        self.merge = merge
        self.pred_key = pred_key
        self.label_key = label_key
        self.image_key = image_key
        self.cases: dict[str, ScoredCase] = {}
        self._calibration: dict[str, float] = {}

    def attach(self, engine: Engine) -> None:
        """Attach to an engine.

        Args:
            engine: The evaluator.
        """
        engine.add_event_handler(Events.EPOCH_STARTED, self.start)
        if self.activation is not None:
            engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self.calibrate)
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self.update)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.note_failure)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Forget the cases of an earlier run.

        Args:
            engine: The evaluator.
        """
        self.cases = {}

    def calibrate(self, engine: Engine) -> None:
        """Measure the calibration of one case's logits, before they become a label map.

        Args:
            engine: A :class:`pipeline.cohorts.CaseEvaluator`: one case at a time, not batched.

        Raises:
            CTError: When logits and reference do not go together.
        """
        output, batch = cast(Any, engine.state.output), cast(Any, engine.state.batch)
        image, logits, truth = output[self.image_key], output[self.pred_key], batch.get(self.label_key)
        if not isinstance(truth, MetaTensor):
            return  # `update` says what is missing
        shares = class_shares(logits, cast(Activation, self.activation), self._merge_of(logits))
        self._calibration = calibration_errors(shares.cpu(), Grid.of(image), truth, Grid.of(truth), self.classes)

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
            metrics = case_metrics(pred, truth, _spacing_mm(pred, truth, name), self.classes, **self.settings.record())
            found = {of: replace(one, calibration_error=self._calibration.get(of)) for of, one in metrics.items()}
            self._calibration = {}
            self.cases[name] = ScoredCase(case=name, patient=self._patient(name, batch), metrics=found)

    def note_failure(self, engine: Engine) -> None:
        """Keep a case that failed, with its reason.

        Args:
            engine: The evaluator.
        """
        output: Any = engine.state.output
        failure = output.get("failure") if isinstance(output, dict) else None
        if failure is not None and failure.case not in self.cases:
            self._calibration = {}
            patient = self._patient(failure.case, engine.state.batch if isinstance(engine.state.batch, dict) else {})
            self.cases[failure.case] = ScoredCase(case=failure.case, patient=patient, error=str(failure.error))

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
            gathered = cast(list[dict[str, ScoredCase]], idist.all_gather(self.cases))
            cases = {name: case for part in gathered for name, case in part.items()}
        if idist.get_rank() == 0:
            write_evaluation(
                self.output_dir, Evaluation(cases=tuple(cases.values()), settings=self.settings), self.draws
            )

    def _merge_of(self, logits: torch.Tensor) -> Sequence[Sequence[int]] | None:
        channels = 0 if self.merge is None else sum(len(group) for group in self.merge)
        return self.merge if logits.shape[0] == channels != len(self.classes) else None

    def _patient(self, case: str, batch: Mapping[str, Any]) -> str:
        given = batch.get("patient")
        return patient_of(case, listed={case: str(given)} if given else None, pattern=self.patient_pattern)

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

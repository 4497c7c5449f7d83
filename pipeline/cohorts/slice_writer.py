"""Result files of each classified case of an evaluator's run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from torch import nn

from pipeline.cohorts.events import CohortEvents
from pipeline.cohorts.prediction_table import PREDICTIONS_TABLE, PredictionTable
from pipeline.evaluation.slices.scores import predicted
from pipeline.export import (
    PROVENANCE_FILE,
    BundleIdentity,
    CaseTable,
    RunRecord,
    failed_row,
    make_folder,
    provenance,
    write_provenance,
)
from pipeline.export.provenance import completed
from pipeline.export.slices import slice_rows, write_curve, write_gradcam
from pipeline.export.table import CASES_TABLE, CellValue
from pipeline.inference.aggregation import aggregate
from pipeline.inference.gradcam import class_activation
from pipeline.networks.classifiers import last_features
from pipeline.reports import RunIndex
from pipeline.reports.classified import Classified, write_classified_report
from transforms.classes import check_classes
from transforms.hu_windows import WindowForm


class SliceWriter:
    """Handler that writes the files of each case into `output_dir/<case>/`, and the tables of all cases.

    Args:
        output_dir: Where results go.
        classes: Class name to value; the first is the one without finding.
        bundle: What made the results.
        network: For Grad-CAM.
        gradcam: For how many slices of a case, the most suspicious first, an overlay is written.
        threshold: Of the second of two classes; `None` for the most probable class.
        top: Share of the slices whose mean is the volume's probability.
        image_window: How slices are shown.
        options: Settings to record in `provenance.json`.
        device: To record.
        settings: All settings that the results depend on, to record: by them a later run knows whether a case still
            counts.
    """

    def __init__(
        self,
        output_dir: str | PathLike[str],
        classes: Mapping[str, int],
        bundle: BundleIdentity,
        network: nn.Module,
        *,
        gradcam: int = 0,
        threshold: float | None = None,
        top: float = 0.2,
        image_window: WindowForm = "lung",
        options: Mapping[str, Any] | None = None,
        device: torch.device | str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = Path(output_dir)
        self.classes = sorted(check_classes(classes), key=lambda name: classes[name])
        self.bundle = bundle
        self.network = network
        self.gradcam = gradcam
        self.threshold = threshold
        self.top = top
        self.image_window = image_window
        self.options = options
        self.device = None if device is None else str(device)
        self.settings = settings
        self.cases = CaseTable(self.folder / CASES_TABLE)
        self.index = RunIndex(self.folder)
        self.predictions = PredictionTable(self.folder / PREDICTIONS_TABLE, self.classes)

    def attach(self, engine: Engine) -> None:
        """Attaches to a :class:`pipeline.cohorts.CaseEvaluator`."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self._write)
        engine.add_event_handler(CohortEvents.KEPT, self._keep)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._note_failure)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.index.note)
        engine.add_event_handler(Events.COMPLETED, self._flush)
        engine.add_event_handler(CohortEvents.ENDED, self._flush)
        engine.add_event_handler(CohortEvents.ENDED, self.index.write)

    def _write(self, engine: Any) -> None:
        begun = time.perf_counter()
        case = {**engine.state.batch, **engine.state.output}
        name = str(case["case"])
        probabilities = case["pred"].as_subclass(torch.Tensor).cpu()
        volume = aggregate(probabilities, self.top).numpy()
        folder = make_folder(self.folder / name)
        (folder / PROVENANCE_FILE).unlink(missing_ok=True)
        files = self._files(folder, case, probabilities, volume)
        said = int(predicted(volume[None], self.threshold)[0])
        found = Classified(
            case=name,
            stack=case["stack"],
            slices=case["slices"],
            probabilities=probabilities.numpy(),
            volume=volume,
            classes=self.classes,
            predicted=self.classes[said],
        )
        tables = self._record(folder, case, files, found, begun)
        self.predictions.put(name, tables[PREDICTIONS_TABLE])
        self.cases.put(tables[CASES_TABLE][0], at_once=False)

    def _row(self, case: Mapping[str, Any], found: Classified, seconds: float) -> dict[str, CellValue]:
        row: dict[str, CellValue] = {"case": found.case, "status": "done", "error": "", "seconds": round(seconds, 3)}
        numbers = {f"p_{one}": float(value) for one, value in zip(self.classes, found.volume, strict=True)}
        counts = {"slices": len(case["stack"]), "slices_with_lung": len(case["slices"])}
        return {**row, **numbers, "predicted": found.predicted, **counts}

    def _slice_rows(self, case: Mapping[str, Any], probabilities: Any) -> list[dict[str, str]]:
        chosen = predicted(probabilities, self.threshold).tolist()
        return slice_rows(str(case["case"]), case["slices"], case["depth"], probabilities, chosen, self.classes)

    def _keep(self, engine: Any) -> None:
        """Sees that the rows of a case that was done before are there."""
        name, tables = str(engine.state.batch["case"]), engine.state.batch["kept"]["tables"]
        if not self.cases.has(name, status="done"):
            self.cases.put(tables[CASES_TABLE][0], at_once=False)
        if not self.predictions.has(name, len(tables[PREDICTIONS_TABLE])):
            self.predictions.put(name, tables[PREDICTIONS_TABLE])

    def _flush(self, engine: Any) -> None:
        self.predictions.flush()
        self.cases.flush()

    def _files(self, folder: Path, case: Mapping[str, Any], probabilities: torch.Tensor, volume: Any) -> list[str]:
        files = []
        if case["stack"].volume is not None:
            numbers = probabilities.numpy()
            files.append(write_curve(folder, case["slices"], case["depth"], numbers, self.classes, volume))
        if self.gradcam > 0:
            order = probabilities[:, 0].argsort()[: self.gradcam].tolist()
            target = 1 if len(self.classes) == 2 else int(np.argmax(volume))
            layer = last_features(self.network, case["image"].shape[1])
            shown = {
                case["slices"][at]: (
                    case["boxes"][at],
                    class_activation(self.network, case["image"][at : at + 1], layer, target)[0],
                )
                for at in order
            }
            files += write_gradcam(folder, case["stack"], shown, self.image_window)
        return files

    def _record(
        self, folder: Path, case: Mapping[str, Any], files: list[str], found: Classified, begun: float
    ) -> dict[str, Any]:
        """Writes the report and the provenance; gives the case's rows by their tables."""
        stack = found.stack
        voxels = stack.hu if stack.volume is None else stack.volume.as_subclass(torch.Tensor)[0].numpy()
        seconds = {**case["seconds"], "write": time.perf_counter() - begun}
        record = provenance(
            found.case,
            voxels,
            case["image"].meta,
            bundle=self.bundle,
            stages=seconds,
            findings=list(stack.findings),
            options=self.options,
            device=self.device,
            started=datetime.now(UTC) - timedelta(seconds=sum(seconds.values())),
            run=RunRecord(input_stamp=case.get("input_stamp"), settings=self.settings),
        )
        files.append(write_classified_report(folder, found, record, self.image_window))
        seconds["write"] = time.perf_counter() - begun
        tables: dict[str, Any] = {
            CASES_TABLE: [self._row(case, found, sum(seconds.values()))],
            PREDICTIONS_TABLE: self._slice_rows(case, found.probabilities),
        }
        write_provenance(folder, completed(record, stages=seconds, files=files, tables=tables))
        return tables

    def _note_failure(self, engine: Any) -> None:
        failure = engine.state.output.get("failure")
        if failure is not None:
            self.cases.put(failed_row(failure.case, failure.error, seconds=failure.seconds))
            self.predictions.put_failure(failure.case, failure.error)

"""Result files of each case of an evaluator's run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents

from pipeline.cohorts.events import CohortEvents
from pipeline.dicomweb import send_files, service_address
from pipeline.export import (
    DEFAULT_KINDS,
    BundleIdentity,
    CaseTable,
    RunRecord,
    SegOptions,
    check_kinds,
    failed_row,
    read_provenance,
    write_case,
    write_provenance,
)
from pipeline.export.kinds import RESULT_KINDS
from pipeline.export.table import CASES_TABLE
from pipeline.reports import RunIndex
from transforms.errors import CTError, NotFoundError, SettingError

SENT_KINDS = ("seg", "sr")
"""What an archive takes."""


SENT = "sent"
"""Key of `provenance.json`: the archive that has stored the case's files."""


class NotSentError(CTError):
    """The results of a case are written, but not stored in the archive."""


class CaseWriter:
    """Handler that writes the files of each case into `output_dir/<case>/`, and `cases.csv` and `index.html`.

    Args:
        output_dir: Where results go.
        classes: Class name to value.
        bundle: What made the results; or a mapping of its fields.
        write: Kinds of files (`nifti`, `lungs`, `measurements`, `seg`, `sr`, `report`, `probabilities`); `None` for the
            usual.
        seg: Settings of the DICOM SEG.
        lung_lesions: Names of the classes whose lesions at the lungs' border are taken into the lungs.
        options: Settings to record in `provenance.json`.
        device: To record.
        settings: All settings that the results depend on, to record: by them a later run knows whether a case still
            counts.
        send: The address of a DICOMweb service. SEG and SR of each case are stored there once all its files are
            written; where that fails, the files stay, and the case counts as failed: `not sent` in the table.

    Raises:
        SettingError: When an address or a kind of files is wrong, or neither SEG nor SR are to be written and sent.
    """

    def __init__(
        self,
        output_dir: str | PathLike[str],
        classes: Mapping[str, int],
        bundle: BundleIdentity,
        *,
        write: Collection[str] | None = None,
        seg: SegOptions | None = None,
        lung_lesions: Collection[str] = (),
        options: Mapping[str, Any] | None = None,
        device: torch.device | str | None = None,
        settings: Mapping[str, Any] | None = None,
        send: str | None = None,
    ) -> None:
        self.folder = Path(output_dir)
        self.classes = dict(classes)
        self.bundle = bundle
        self.write = check_kinds(DEFAULT_KINDS if write is None else write)
        self.seg = seg
        self.lung_lesions = tuple(lung_lesions)
        self.options = options
        self.device = None if device is None else str(device)
        self.settings = settings
        self.send = None if send is None else service_address(send)
        if self.send and not set(self.write) & set(SENT_KINDS):
            raise SettingError(
                "there is nothing to send", found=f"write: {', '.join(self.write)}", expected="seg or sr"
            )
        self.table = CaseTable(self.folder / CASES_TABLE)
        self.index = RunIndex(self.folder)

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
        case = {**engine.state.batch, **engine.state.output}
        seconds = dict(case.get("seconds", {}))
        result = write_case(
            self.folder / str(case["case"]),
            case,
            classes=self.classes,
            bundle=self.bundle,
            stages=seconds,
            write=self.write,
            seg=self.seg,
            lung_lesions=self.lung_lesions,
            options=self.options,
            device=self.device,
            started=datetime.now(UTC) - timedelta(seconds=sum(seconds.values())),
            run=RunRecord(input_stamp=case.get("input_stamp"), settings=self.settings),
        )
        self.table.put(result.row, at_once=False)
        if self.send is not None:
            self._send(self.send, result.folder, result.files, result.row)

    def _flush(self, engine: Any) -> None:
        self.table.flush()

    def _keep(self, engine: Any) -> None:
        """Sees that the row of a case that was done before is there, and that its files are sent."""
        name, record = str(engine.state.batch["case"]), engine.state.batch["kept"]
        (row,) = record["tables"][CASES_TABLE]
        if not self.table.has(name, status="done"):
            self.table.put(row, at_once=False)
        if self.send is not None and record.get(SENT) != self.send:
            self._send(self.send, self.folder / name, record["files"], row)

    def _send(self, service: str, folder: Path, files: Collection[str], row: Mapping[str, Any]) -> None:
        try:
            sent = [file for kind in SENT_KINDS for file in RESULT_KINDS[kind].files if file in files]
            if not sent:
                raise NotFoundError("there is neither SEG nor SR", remedy="provenance.json says why, under findings")
            send_files(service, [folder / file for file in sent])
        except CTError as error:
            failure = NotSentError(f"all is written, but not sent: {str(error).rstrip('.')}", where=folder)
            self.table.put({**row, "status": "not sent", "error": str(failure)})
            raise failure from error
        write_provenance(folder, {**(read_provenance(folder) or {}), SENT: service})
        self.table.put(row, at_once=False)

    def _note_failure(self, engine: Any) -> None:
        failure = engine.state.output.get("failure")
        # What was not sent has its row already, with the case's numbers.
        if failure is not None and not isinstance(failure.error, NotSentError):
            self.table.put(failed_row(failure.case, failure.error, seconds=failure.seconds))

"""What an evaluation found, case by case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.evaluation.case_metrics import ClassMetrics, MetricSettings


@dataclass(frozen=True, kw_only=True)
class ScoredCase:
    """A case that was compared with its reference, or could not be.

    Attributes:
        case: Its name.
        patient: Whose it is: cases of one patient are drawn together for intervals.
        metrics: Class name to metrics; empty where the case failed.
        error: Why it could not be compared; None where it was.
        notes: What was put right or left out, as sentences.
    """

    case: str
    patient: str
    metrics: Mapping[str, ClassMetrics] = field(default_factory=dict)
    error: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """All that was compared.

    Attributes:
        cases: Every case that has a prediction and a reference, also those that failed.
        settings: What the metrics depend on.
        predictions_alone: Predictions without a reference.
        references_alone: References without a prediction.
    """

    cases: tuple[ScoredCase, ...]
    settings: MetricSettings = field(default_factory=MetricSettings)
    predictions_alone: tuple[Path, ...] = ()
    references_alone: tuple[Path, ...] = ()

    @property
    def scored(self) -> tuple[ScoredCase, ...]:
        """The cases that have metrics."""
        return tuple(case for case in self.cases if case.error is None)

    @property
    def failed(self) -> tuple[ScoredCase, ...]:
        """The cases that have none."""
        return tuple(case for case in self.cases if case.error is not None)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that were compared, in their order."""
        return tuple(dict.fromkeys(name for case in self.cases for name in case.metrics))

"""What happens in a run over cases, beside what MONAI's evaluator knows."""

from __future__ import annotations

from ignite.engine import EventEnum


class CohortEvents(EventEnum):
    """Events of a :class:`pipeline.cohorts.CaseEvaluator`."""

    KEPT = "case_kept"
    """A case is done already; `engine.state.batch["kept"]` is what its `provenance.json` says."""
    ENDED = "cohort_ended"
    """The run ends, whatever ends it."""

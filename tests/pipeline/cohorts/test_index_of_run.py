"""The list of cases is written whatever ends a run."""

import pytest
from ignite.engine import Engine
from monai.engines.utils import IterationEvents

from pipeline.cohorts import CaseWriter
from pipeline.cohorts.events import CohortEvents
from pipeline.export import BundleIdentity, CaseTable


def test_a_run_that_is_broken_off_leaves_a_list(tmp_path):
    def stop(engine, batch):
        CaseTable(tmp_path / "cases.csv").put({"case": "a", "status": "failed", "error": "no slices"})
        raise KeyboardInterrupt

    engine = Engine(stop)
    engine.register_events(*CohortEvents, *IterationEvents)
    CaseWriter(tmp_path, {"background": 0, "lesion": 1}, BundleIdentity(name="b", version="1")).attach(engine)
    with pytest.raises(KeyboardInterrupt):
        engine.run([0])
    assert not (tmp_path / "index.html").exists()
    engine.fire_event(CohortEvents.ENDED)
    assert "no slices" in (tmp_path / "index.html").read_text()

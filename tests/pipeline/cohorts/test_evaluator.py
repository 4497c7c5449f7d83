"""A failing case never takes the others along, wherever it fails."""

import logging

import pytest
import torch
from ignite.engine import Events
from monai.engines.utils import IterationEvents

from transforms.errors import GeometryError, NotFoundError

ERROR = GeometryError("the slices are not evenly spaced", where="case_2", remedy="Pass --allow uneven")


class Collect:
    """Handler that remembers the outputs of the cases that were done, and fails for one of them if asked."""

    def __init__(self, step=lambda value: value):
        self.step, self.done = step, {}

    def attach(self, engine):
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self.collect)

    def collect(self, engine):
        self.step(float(engine.state.batch["image"].max()))
        self.done[engine.state.batch["case"]] = {**engine.state.batch, **engine.state.output}


def test_cases_go_through_network_and_postprocessing(evaluator):
    collect = Collect()
    run = evaluator(2, handlers=[collect])
    run.run()
    run.conclude()
    assert list(collect.done) == ["case_1", "case_2"]
    assert torch.all(collect.done["case_2"]["logits"] == 4)
    assert collect.done["case_2"]["pred"].dtype == torch.uint8
    assert set(collect.done["case_2"]["seconds"]) == {"read", "network", "restore"}


@pytest.mark.parametrize("error", [ERROR, RuntimeError("a bug"), MemoryError()], ids=["user", "bug", "memory"])
@pytest.mark.parametrize("stage", ["read", "network", "restore", "write"])
def test_a_case_that_fails_leaves_the_others_alone(evaluator, failing_on, stage, error):
    step = failing_on(2.0, error)
    collect = Collect(step if stage == "write" else lambda value: value)
    run = evaluator(3, handlers=[collect], **({} if stage == "write" else {stage: step}))
    run.run()
    assert list(collect.done) == ["case_1", "case_3"]
    assert [failure.case for failure in run.failures] == ["case_2"]
    if error is ERROR:
        assert run.failures[0].error is ERROR
    with pytest.raises(Exception, match=r"1 of 3 cases failed: case_2\. See the messages above") as caught:
        run.conclude()
    assert type(caught.value).__name__ == "CasesFailedError"


def test_a_users_error_is_told_without_a_traceback_others_with_one(evaluator, failing_on, caplog):
    for error in (ERROR, RuntimeError("a bug")):
        caplog.clear()
        with caplog.at_level(logging.ERROR, logger="pipeline.cohorts"):
            evaluator(2, read=failing_on(2.0, error)).run()
        (record,) = caplog.records
        assert record.getMessage().startswith("case case_2 failed: ")
        assert bool(record.exc_info) == (error is not ERROR)
    assert "a bug" in caplog.text


def test_all_cases_may_fail_and_the_message_stays_short(evaluator):
    def fail(value):
        raise ERROR

    run = evaluator(7, network=fail)
    run.run()
    with pytest.raises(Exception, match=r"7 of 7 cases failed: case_1, case_2, case_3, case_4, case_5, … *\."):
        run.conclude()


def test_a_second_run_forgets_the_failures_of_the_first(evaluator, failing_on):
    errors = {"step": failing_on(2.0, ERROR)}
    run = evaluator(2, restore=lambda value: errors["step"](value))
    run.run()
    errors["step"] = lambda value: value
    run.run()
    assert run.failures == []
    run.conclude()


def test_no_cases_are_an_error(evaluator):
    with pytest.raises(NotFoundError, match="no cases"):
        evaluator(0).run()


def test_the_output_of_a_failed_case_is_its_failure(evaluator, failing_on):
    outputs = []
    run = evaluator(2, network=failing_on(1.0, ERROR))
    run.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: outputs.append(engine.state.output))
    run.run()
    assert set(outputs[0]) == {"case", "failure"}
    assert "pred" in outputs[1]


def test_an_interrupt_is_no_failed_case(evaluator):
    def interrupt(value):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluator(2, network=interrupt).run()


def test_the_native_volume_is_handed_on_without_a_copy(evaluator):
    pointers = []
    collect = Collect()
    run = evaluator(2, handlers=[collect])
    data = run.loader.dataset
    read = data.transform

    def noting(item):
        out = read(item)
        pointers.append(out["native"].data_ptr())
        return out

    data.transform = noting
    run.run()
    assert [case["native"].data_ptr() for case in collect.done.values()] == pointers

"""What a command imports is set aside from Python's garbage collector, once, and that goes on as before."""

import gc
import sys
import types

import pytest

from pipeline.cli.imports import imported_for_good


@pytest.fixture
def calls(monkeypatch):
    made = []
    monkeypatch.setattr(gc, "freeze", lambda: made.append(gc.isenabled()))
    return made


@pytest.fixture
def no_monai(monkeypatch):
    monkeypatch.delitem(sys.modules, "monai", raising=False)


@pytest.mark.usefixtures("no_monai")
def test_nothing_is_collected_while_modules_come_and_all_of_it_is_set_aside(calls):
    with imported_for_good():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert calls == [False]


@pytest.mark.usefixtures("no_monai")
def test_a_failing_import_leaves_the_collector_at_work(calls):
    with pytest.raises(ImportError), imported_for_good():
        raise ImportError
    assert gc.isenabled()
    assert calls == [False]


@pytest.mark.usefixtures("no_monai", "calls")
def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with imported_for_good():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_objects_of_a_program_that_has_monai_already_are_not_touched(monkeypatch, calls):
    monkeypatch.setitem(sys.modules, "monai", types.ModuleType("monai"))
    with imported_for_good():
        assert gc.isenabled()
    assert calls == []

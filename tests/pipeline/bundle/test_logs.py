"""Log lines for programs are JSON objects, whoever writes them."""

import json
import logging
import warnings

import pytest

from pipeline.bundle import json_logs
from pipeline.bundle.errors import say_error


@pytest.fixture
def _restored():
    root, levels = (
        logging.root.handlers[:],
        {name: logging.getLogger(name).level for name in ("pipeline", "transforms")},
    )
    yield
    logging.captureWarnings(False)
    logging.root.handlers = root
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("_restored")
def test_every_line_is_an_object_with_the_same_keys(capsys):
    json_logs()
    logging.getLogger("pipeline.cohorts.progress").debug("network", extra={"case": "a", "stage": "network"})
    logging.getLogger("pipeline.cohorts").error("two\nlines: é")
    warnings.warn("be warned", stacklevel=1)
    try:
        raise ValueError("a bug")
    except ValueError:
        logging.getLogger("elsewhere").exception("broken")
    say_error("the end")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["level"] for line in lines] == ["debug", "error", "warning", "error", "error"]
    assert [(line["case"], line["stage"]) for line in lines[:2]] == [("a", "network"), (None, None)]
    assert lines[1]["message"] == "two\nlines: é"
    assert "be warned" in lines[2]["message"]
    assert "ValueError: a bug" in lines[3]["traceback"]
    assert lines[4]["message"] == "the end"
    assert all(set(line) - {"traceback"} == {"time", "level", "case", "stage", "message", "logger"} for line in lines)


def test_unless_asked_nothing_changes():
    before = logging.root.handlers[:]
    json_logs(False)
    assert logging.root.handlers == before

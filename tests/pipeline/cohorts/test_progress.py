"""Progress of a run: one bar on a terminal, log lines elsewhere."""

import io
import logging
import sys

import pytest

from pipeline.cohorts import CaseProgress, progress
from pipeline.cohorts.progress import RunStoppedError


def run(bar, cases=("a", "b", "c")):
    bar.begin(len(cases))
    for case in cases:
        bar.stage("network", case)
        for done in range(1, 4):
            bar(done, 3)
        bar.stage("write", case)
        bar.finished(case)
    bar.close()


def test_by_itself_elsewhere_than_on_a_terminal_one_line_says_when_a_case_is_through(caplog, capsys):
    progress = CaseProgress("network")
    with caplog.at_level(logging.INFO, logger="pipeline.cohorts"):
        for case_parts in (3, 5):
            for done in range(1, case_parts + 1):
                progress(done, case_parts)
    assert [record.getMessage() for record in caplog.records] == ["network: 3 parts done", "network: 5 parts done"]
    assert capsys.readouterr().err == ""


def test_one_bar_says_how_many_cases_which_stage_and_how_long(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    run(CaseProgress(bar=True))
    pictures = screen.getvalue().split("\r")
    assert any("1/3 cases, b network 2/3" in picture for picture in pictures)
    assert "100%" in pictures[-1]
    assert "3/3 cases, c write" in pictures[-1]
    assert all("<" in picture for picture in pictures if "case" in picture)
    assert screen.getvalue().count("\n") == 1  # one bar, closed


def test_the_bar_never_goes_back(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    bar = CaseProgress(bar=True)
    bar.begin(2)
    bar(3, 3)
    first = bar._bar.n
    bar(1, 3)
    assert bar._bar.n == first
    bar.finished("a")
    assert bar._bar.n == 1
    bar.close()


def test_lines_say_how_many_and_how_long_but_not_for_each_of_thousands(caplog):
    with caplog.at_level(logging.INFO, logger="pipeline.cohorts"):
        run(CaseProgress(bar=False), [f"case_{number}" for number in range(1000)])
    assert [record.getMessage() for record in caplog.records] == ["case case_999 done: 1000 of 1000"]


def test_a_line_in_between_has_the_time_left(caplog, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", -1)
    with caplog.at_level(logging.INFO, logger="pipeline.cohorts"):
        run(CaseProgress(bar=False))
    first, _, last = [record.getMessage() for record in caplog.records]
    assert first == "case a done: 1 of 3, about 00:00 left"
    assert last == "case c done: 3 of 3"
    assert (caplog.records[0].case, caplog.records[0].stage) == ("a", "done")


def test_cases_that_were_done_before_say_nothing_about_the_time_left(caplog, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", -1)
    bar = CaseProgress(bar=False)
    bar.begin(3)
    with caplog.at_level(logging.INFO, logger="pipeline.cohorts"):
        bar.finished("a", kept=True)
    assert caplog.records[0].getMessage() == "case a kept: 1 of 3"


def test_who_reports_parts_is_told_of_an_interrupt():
    bar = CaseProgress(bar=False)
    bar.begin(1)
    bar.stop()
    with pytest.raises(RunStoppedError):
        bar(1, 2)

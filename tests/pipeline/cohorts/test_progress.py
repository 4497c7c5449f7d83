"""Progress of a case: a bar on a terminal, log lines elsewhere."""

import logging

from pipeline.cohorts import CaseProgress


def test_elsewhere_than_on_a_terminal_one_line_says_when_a_case_is_through(caplog, capsys):
    progress = CaseProgress("network")
    with caplog.at_level(logging.INFO, logger="pipeline.cohorts"):
        for case_parts in (3, 5):
            for done in range(1, case_parts + 1):
                progress(done, case_parts)
    assert [record.getMessage() for record in caplog.records] == ["network: 3 parts done", "network: 5 parts done"]
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_a_bar_counts_up_and_goes_away(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    progress = CaseProgress("network")
    progress(2, 4)
    assert progress._bar.n == 2
    progress(4, 4)
    assert progress._bar is None
    assert capsys.readouterr().out == ""

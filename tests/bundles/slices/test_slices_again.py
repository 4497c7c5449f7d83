"""Classifying the same again does nothing twice, and mends what was lost."""

import pytest


@pytest.mark.slow
def test_the_same_again(classify, slice_data, table, tmp_path):
    study = slice_data / "CT_COVID"
    assert classify(study, tmp_path).returncode == 0
    records = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/provenance.json")}
    tables = {name: sorted(map(str, table(tmp_path / name))) for name in ("cases.csv", "predictions.csv")}
    for name in tables:
        (tmp_path / name).unlink()
    result = classify(study, tmp_path)
    assert result.returncode == 0, result.stderr
    assert {path: path.stat().st_mtime_ns for path in records} == records
    assert {name: sorted(map(str, table(tmp_path / name))) for name in tables} == tables
    result = classify(study, tmp_path, flips=[[], [-1]])
    assert "is done again: the setting flips was [[]] and is [[], [-1]]" in result.stderr
    assert all(path.stat().st_mtime_ns > records[path] for path in records)

import json

import pytest

from pipeline.evaluation.case_metrics import ClassMetrics
from pipeline.evaluation.metric_files import summarise, write_metrics


def metrics(dice, hd95_mm, nsd, truth=1.0):
    return ClassMetrics(dice=dice, hd95_mm=hd95_mm, nsd=nsd, volume_truth_ml=truth, volume_pred_ml=2.0)


CASES = {
    "x": {"a": metrics(1.0, 0.0, 1.0), "b": metrics(0.5, 4.0, 0.25)},
    "y": {"a": metrics(0.0, 30.0, 0.0, truth=0.0), "b": metrics(1 / 3, 6.0, 0.75)},
    "z": {"a": metrics(0.8, 3.0, 0.5), "b": metrics(0.5, 5.0, 0.5)},
}


def test_a_row_a_case_and_class(tmp_path):
    write_metrics(tmp_path / "out", CASES)
    lines = (tmp_path / "out" / "metrics.csv").read_text().splitlines()
    assert lines[0] == "case,class,dice,hd95_mm,nsd,volume_truth_ml,volume_pred_ml"
    assert lines[1] == "x,a,1.0,0.0,1.0,1.0,2.0"
    assert lines[4] == "y,b,0.333333,6.0,0.75,1.0,2.0"
    assert len(lines) == 7


def test_the_summary_by_hand(tmp_path):
    write_metrics(tmp_path, CASES, tolerance_mm={"a": 2.0, "b": 3.0})
    summary = json.loads((tmp_path / "metrics.json").read_text())
    assert summary["tolerance_mm"] == {"a": 2.0, "b": 3.0}
    assert summary["cases"] == 3
    a, b = summary["classes"]["a"], summary["classes"]["b"]
    assert (a["n"], a["n_in_reference"], b["n_in_reference"]) == (3, 2, 3)
    assert a["dice"] == pytest.approx({"mean": 0.6, "median": 0.8, "std": 0.43204938})
    assert a["hd95_mm"]["mean"] == 11.0
    assert b["hd95_mm"]["median"] == 5.0
    assert summary["mean"] == pytest.approx({"dice": (0.6 + 4 / 9) / 2, "hd95_mm": (11 + 5) / 2, "nsd": 0.5})


def test_no_cases_are_no_numbers(tmp_path):
    write_metrics(tmp_path, {})
    assert summarise({}) == {"cases": 0, "classes": {}, "mean": None}
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 1

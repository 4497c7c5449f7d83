import csv
import json

import pytest

from pipeline.evaluation import Bootstrap, Evaluation, MetricSettings, ScoredCase, summarise
from pipeline.evaluation.case_metrics import ClassMetrics
from pipeline.evaluation.lesions import LesionCounts
from pipeline.evaluation.metric_files import write_metrics


def metrics(dice, hd95_mm, nsd, truth=1.0, lesions=(2, 1, 4, 1)):
    counts = LesionCounts(**dict(zip(("truth", "found", "pred", "right"), lesions, strict=True)))
    return ClassMetrics(dice=dice, hd95_mm=hd95_mm, nsd=nsd, volume_truth_ml=truth, volume_pred_ml=2.0, lesions=counts)


def case(name, patient=None, **found):
    return ScoredCase(case=name, patient=patient or name, metrics=found)


EVALUATION = Evaluation(
    cases=(
        case("x", a=metrics(1.0, 0.0, 1.0), b=metrics(0.5, 4.0, 0.25)),
        case("y", a=metrics(0.0, 30.0, 0.0, truth=0.0, lesions=(0, 0, 3, 0)), b=metrics(1 / 3, 6.0, 0.75)),
        case("z", a=metrics(0.8, 3.0, 0.5), b=metrics(0.5, 5.0, 0.5)),
        ScoredCase(case="w", patient="w", error="its grid is another"),
    ),
    settings=MetricSettings(tolerance_mm={"a": 2.0, "b": 3.0}),
)


def test_a_row_a_case_and_class_and_one_a_failure(tmp_path):
    write_metrics(tmp_path / "out", EVALUATION)
    with (tmp_path / "out" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7
    first = rows[0]
    assert (first["case"], first["patient"], first["class"], first["dice"], first["error"]) == (
        "x",
        "x",
        "a",
        "1.0",
        "",
    )
    assert (first["volume_error_ml"], first["volume_error_percent"]) == ("1.0", "100.0")
    assert (first["lesion_sensitivity"], first["lesion_precision"], first["calibration_error"]) == ("0.5", "0.25", "")
    assert float(first["lesion_f1"]) == pytest.approx(1 / 3, abs=1e-6)
    assert rows[2]["volume_error_percent"] == "100.0"  # nothing was there to find
    assert rows[3]["dice"] == "0.333333"
    assert (rows[6]["case"], rows[6]["class"], rows[6]["dice"], rows[6]["error"]) == (
        "w",
        "",
        "",
        "its grid is another",
    )


def test_the_summary_by_hand(tmp_path):
    write_metrics(tmp_path, EVALUATION)
    summary = json.loads((tmp_path / "metrics.json").read_text())
    assert summary["tolerance_mm"] == {"a": 2.0, "b": 3.0}
    assert (summary["cases"], summary["patients"], summary["failed"]) == (3, 3, {"w": "its grid is another"})
    a, b = summary["classes"]["a"], summary["classes"]["b"]
    assert (a["n"], a["n_in_reference"], b["n_in_reference"]) == (3, 2, 3)
    dice = a["dice"]
    assert (dice["mean"], dice["median"], dice["std"]) == pytest.approx((0.6, 0.8, 0.43204938))
    assert dice["low"] < 0.6 < dice["high"]
    assert a["hd95_mm"]["mean"] == 11.0
    assert b["hd95_mm"]["median"] == 5.0
    means = summary["mean"]
    assert summary["mean_interval"]["dice"]["low"] < means["dice"] < summary["mean_interval"]["dice"]["high"]
    assert means["dice"] == pytest.approx((0.6 + 4 / 9) / 2)
    assert (means["hd95_mm"], means["nsd"]) == pytest.approx(((11 + 5) / 2, 0.5))
    assert "calibration_error" not in means
    # Lesions counted over all cases: of 2 + 0 + 2 two were found, of 4 + 3 + 4 predicted two are right.
    counted = {key: a["lesions"][key] for key in ("truth", "found", "pred", "right")}
    assert counted == {"truth": 4, "found": 2, "pred": 11, "right": 2}
    assert (a["lesions"]["sensitivity"], a["lesions"]["precision"]) == pytest.approx((0.5, 2 / 11))
    # Differences of 1, 2 and 1 ml.
    spread = 1.96 * (1 / 3) ** 0.5
    assert a["volume_bias_ml"] == pytest.approx({"mean": 4 / 3, "lower": 4 / 3 - spread, "upper": 4 / 3 + spread})


def test_no_cases_are_no_numbers(tmp_path):
    write_metrics(tmp_path, Evaluation(cases=()))
    summary = summarise(Evaluation(cases=()))
    assert (summary["cases"], summary["classes"], summary["mean"]) == (0, {}, None)
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 1


def test_cases_of_a_patient_are_drawn_together():
    cases = tuple(case(f"{n}", patient, a=metrics(n % 2, 0, 1)) for n, patient in enumerate("ppqq"))
    found = summarise(Evaluation(cases=cases), Bootstrap(samples=50))
    assert found["patients"] == 2
    # Each patient's mean is 0.5: whoever is drawn, the mean is the same.
    assert (found["classes"]["a"]["dice"]["low"], found["classes"]["a"]["dice"]["high"]) == (0.5, 0.5)

"""The page holds every case, the worst first, and nothing of it breaks the markup."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline.evaluation import Evaluation, ScoredCase, write_evaluation
from pipeline.evaluation.case_metrics import ClassMetrics
from pipeline.evaluation.report.page import worst_first
from pipeline.reports.svg import Range


def metrics(dice, truth=10.0, pred=9.0):
    return ClassMetrics(dice=dice, hd95_mm=3.0, nsd=dice, volume_truth_ml=truth, volume_pred_ml=pred)


HOSTILE = '<script>alert(1)</script>"&'
CASES = (
    ScoredCase(case="good", patient="good", metrics={"ground_glass": metrics(0.9), "b": metrics(1.0, 0, 0)}),
    ScoredCase(case=HOSTILE, patient="p", metrics={"ground_glass": metrics(0.1), "b": metrics(0.3, 20, 30)}),
    ScoredCase(case="broken", patient="broken", error="another grid"),
)


@pytest.fixture
def page(tmp_path):
    alone = (Path("someone/alone.nii.gz"),)
    write_evaluation(tmp_path, Evaluation(cases=CASES, references_alone=alone))
    return tmp_path / "report.html"


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in {"meta", "link", "img", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_everything_is_on_the_page(page):
    text = page.read_text()
    tags = Tags()
    tags.feed(text)
    assert not tags.open
    assert "<script>alert" not in text
    assert not re.search(r"https?://", text)
    for said in ("another grid", "someone/alone.nii.gz", "ground glass", "Bland–Altman", "95 %", "1.96 SD"):
        assert said in text
    table = text[text.index("Cases, the worst first") :]
    assert table.index("alert(1)") < table.index("good")


def test_the_worst_case_is_the_first():
    assert [case.case for case in worst_first(CASES[:2])] == [HOSTILE, "good"]
    # What is in neither does not lift a case: the mean of `good` is that of one class.
    late = ScoredCase(case="late", patient="l", metrics={"ground_glass": metrics(0.92), "b": metrics(0.9)})
    assert [case.case for case in worst_first([late, CASES[0]])] == ["good", "late"]


def test_nothing_but_failures_is_a_page_too(tmp_path):
    write_evaluation(tmp_path, Evaluation(cases=CASES[2:]))
    assert "1 of 1 cases could not be compared" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("values", [[0.0], [-3.0, 170.0], [1e-7, 2e-7], [5.0, 5.0], [float("nan"), 2.0]])
def test_an_axis_holds_its_values_between_round_numbers(values):
    axis = Range.over(values, zero=True)
    finite = [value for value in values if value == value]
    assert axis.low <= min(*finite, 0.0)
    assert axis.high >= max(*finite, 0.0)
    assert 2 <= len(axis.ticks) <= 8


@pytest.mark.service
def test_a_browser_opens_it_without_a_complaint(page):
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is not installed")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
    done = subprocess.run([browser, *options, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in done.stderr
    assert done.stdout.count("<svg") >= 6

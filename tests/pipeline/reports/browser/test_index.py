"""The list of cases in a browser: sorted, filtered, without a complaint."""

import pytest

from pipeline.export.table import CaseTable
from pipeline.reports import write_index

pytestmark = pytest.mark.service

SHOWN = "[...document.querySelectorAll('#cases tbody tr:not([hidden])')].map((row) => row.dataset.case)"


@pytest.fixture
def page(reader, tmp_path):
    table = CaseTable(tmp_path / "cases.csv")
    for case, severity, seconds in (("case-2", 5, 1.0), ("case-10", 20, 2.0), ("other", 12, 3.0)):
        table.put({"case": case, "status": "done", "seconds": seconds, "severity": severity})
    table.put({"case": "bad", "status": "failed", "error": "slices are missing", "seconds": 0.5})
    reader.open(write_index(tmp_path))
    yield reader
    assert not reader.complaints()
    assert {address.partition(":")[0] for address in reader.requests()} <= {"file", "data"}


def head(page, name):
    page.driver.execute_script(
        "[...document.querySelectorAll('th button')].find((one) => one.textContent === arguments[0]).click()", name
    )
    return page.ask("document.querySelector('th[aria-sort]').getAttribute('aria-sort')")


def fill(page, name, value):
    page.driver.execute_script(
        "const e = document.getElementById(arguments[0]); e.value = arguments[1];"
        "e.dispatchEvent(new Event('input', {bubbles: true}))", name, value
    )  # fmt: skip


def test_sorted_by_severity_and_by_any_column(page):
    assert page.ask(SHOWN) == ["case-10", "other", "case-2", "bad"]
    assert head(page, "Severity of 24") == "ascending"
    assert page.ask(SHOWN) == ["case-2", "other", "case-10", "bad"], "what has no value stays last"
    assert head(page, "Case") == "ascending"
    assert page.ask(SHOWN) == ["bad", "case-2", "case-10", "other"], "numbers in names count as numbers"
    assert head(page, "Seconds") == "descending"
    assert page.ask(SHOWN) == ["other", "case-10", "case-2", "bad"]


def test_filtered_by_words_status_and_severity(page):
    fill(page, "words", "case")
    assert page.ask(SHOWN) == ["case-10", "case-2"]
    assert page.ask("document.getElementById('count').textContent") == "2 of 4 shown"
    fill(page, "words", "missing")
    assert page.ask(SHOWN) == ["bad"]
    fill(page, "words", "")
    fill(page, "least", "12")
    assert page.ask(SHOWN) == ["case-10", "other"]
    fill(page, "words", "nothing")
    assert not page.ask("document.getElementById('none').hidden")
    fill(page, "words", "")
    fill(page, "least", "")
    page.click("#show-failed")
    assert page.ask(SHOWN) == ["bad"]
    fill(page, "status", "")
    page.click("#remarked")
    assert page.ask(SHOWN) == ["bad"]


def test_readable_on_a_phone(page, tmp_path):
    page.open(tmp_path / "index.html", 360, 740, phone=True)
    assert page.ask("document.documentElement.scrollWidth") <= 360

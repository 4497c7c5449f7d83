"""The list of a run's cases, without a browser."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from pipeline.export.preview import write_preview
from pipeline.export.table import CaseTable
from pipeline.reports import RunIndex, write_index
from pipeline.reports import index as module
from transforms.errors import OutputError

ROW = {"status": "done", "seconds": 2.5, "lung_volume_ml": 4321.0, "glass_components": 3}


@pytest.fixture
def run(tmp_path):
    """A run of five cases: three done, one of them without lungs, one failed, one half written."""
    table = CaseTable(tmp_path / "cases.csv")
    table.put({"case": "mild", **ROW, "severity": 3, "percent_of_lung_involved": 4.0, "glass_ml": 12.0})
    table.put({"case": "no-lungs", **ROW, "lung_volume_ml": None, "glass_ml": 900.0})
    table.put({"case": "broken", "status": "failed", "error": "cut <short>", "seconds": 0.1})
    table.put({"case": "severe", **ROW, "severity": 19, "percent_of_lung_involved": 61.0, "glass_ml": 800.0})
    table.put({"case": "mild-too", **ROW, "severity": 3, "percent_of_lung_involved": 7.0, "glass_ml": 9.0})
    for case in ("mild", "severe", "no-lungs", "mild-too"):
        (tmp_path / case).mkdir()
    for case in ("mild", "severe"):
        (tmp_path / case / "report.html").write_text("x")
    hu = np.zeros((8, 8, 8), np.int16)
    write_preview(tmp_path / "severe" / "preview.png", hu, (hu == 0).astype(np.uint8), np.eye(4), {"a": 0, "glass": 1})
    (tmp_path / "mild" / "preview.png").write_bytes((tmp_path / "severe" / "preview.png").read_bytes()[:90])
    record = {"findings": ["no lungs found"], "input": {"repairs": ["sorted"]}}
    (tmp_path / "no-lungs" / "provenance.json").write_text(json.dumps(record))
    (tmp_path / "mild-too" / "provenance.json").write_text('{"findings": ')
    return tmp_path


def order(text):
    return re.findall(r'data-case="([^"]+)"', text)


def test_the_most_severe_come_first_and_failures_with_their_reason(run, read_page):
    assert write_index(run) == run / "index.html"
    text = (run / "index.html").read_text()
    assert order(text) == ["severe", "mild-too", "mild", "no-lungs", "broken"]
    page = read_page(text)
    assert "5 cases: 4 done, 1 failed; 1 with findings" in page.text
    assert "1 case not done." in page.text
    assert "broken cut <short>" in page.text
    assert "no-lungs no lungs found sorted" in page.text
    assert "19 3" not in page.text
    assert "Not a medical device" in page.text


def test_links_lead_to_what_is_there_and_pictures_are_held(run, read_page):
    write_index(run)
    page = read_page((run / "index.html").read_text())
    links = {address for address in page.addresses() if not address.startswith(("data:", "#"))}
    assert links == {"./severe/report.html", "./mild/report.html"}
    for link in links:
        assert (run / link).is_file()
    pictures = [attrs for tag, attrs in page.elements if tag == "img"]
    assert len(pictures) == 1, "the half written picture is left out"
    assert pictures[0]["src"].startswith("data:image/jpeg;base64,/9j/")


def test_columns_are_those_that_the_table_has_something_for(run, read_page):
    write_index(run)
    text = read_page((run / "index.html").read_text()).text
    assert "Severity of 24 Lung involved % glass ml Lungs ml Seconds Status" in text
    for row in CaseTable(run / "cases.csv").rows():
        CaseTable(run / "cases.csv").put({"case": row["case"], "status": "failed", "error": "e"})
    write_index(run)
    assert "Severity" not in read_page((run / "index.html").read_text()).text


def test_classified_cases(tmp_path, read_page):
    table = CaseTable(tmp_path / "cases.csv")
    for case, probability in (("a", 0.2), ("b", 0.9)):
        numbers = {"p_NonCOVID": 1 - probability, "p_COVID": probability}
        table.put({"case": case, "status": "done", "seconds": 1.0, **numbers, "predicted": "COVID"})
        (tmp_path / case / "gradcam").mkdir(parents=True)
        Image.new("RGB", (300, 200)).save(tmp_path / case / "gradcam" / "slice_0003.png")
    write_index(tmp_path)
    text = (tmp_path / "index.html").read_text()
    assert order(text) == ["b", "a"]
    assert "P(NonCOVID) P(COVID) Predicted" in read_page(text).text
    assert text.count("data:image/jpeg") == 2


def test_hostile_names_and_broken_numbers(tmp_path, read_page):
    hostile = "\"'><script>alert(1)</script>&:#?"
    (tmp_path / "cases.csv").write_text(
        "case,status,error,severity,severity_grade\n"
        f'"{hostile.replace(chr(34), 2 * chr(34))}",done,,nan,x\nb,not sent,no archive,7,1\nc,,,,\n'
    )
    write_index(tmp_path)
    page = read_page((tmp_path / "index.html").read_text())
    assert sum(tag == "script" for tag, _ in page.elements) == 1
    assert hostile in page.text
    assert "b no archive" in page.text
    assert "unknown" in page.text


def test_without_cases_there_is_no_list(tmp_path):
    assert write_index(tmp_path) is None
    assert not (tmp_path / "index.html").exists()


def test_many_cases_stay_small_and_quick(tmp_path):
    lines = ["case,status,error,severity,percent_of_lung_involved"]
    lines += [f"case-{number:04},done,,{number % 25},{number % 100}" for number in range(2000)]
    (tmp_path / "cases.csv").write_text("\n".join(lines))
    write_index(tmp_path)
    assert (tmp_path / "index.html").stat().st_size < 2_000_000


def test_a_run_keeps_its_list_fresh_but_not_at_each_case(run, monkeypatch):
    written = []
    monkeypatch.setattr(module, "write_index", written.append)
    index = RunIndex(run)
    for _ in range(3):
        index.note()
    assert written == [run]
    index.write()
    assert len(written) == 2


def test_a_list_that_cannot_be_written_does_not_end_the_run(run, monkeypatch, caplog):
    def fail(folder):
        raise OutputError("cannot be written", where=folder)

    monkeypatch.setattr(module, "write_index", fail)
    RunIndex(run).write()
    assert "the list of cases cannot be written" in caplog.text
    (run / "cases.csv").write_text("not,a,table\n1,2,3\n")
    monkeypatch.undo()
    RunIndex(run).write()

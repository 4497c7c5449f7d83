"""The files of each case and its row; what cannot be written is the case's failure."""

import csv
import json

import pytest

from pipeline.cohorts import CaseWriter
from pipeline.cohorts.evaluator import CasesFailedError
from pipeline.export import BundleIdentity
from transforms.errors import GeometryError, OutputError, SettingError

BUNDLE = BundleIdentity(name="a bundle", version="1.2.3", weights_hash="sha256:0")
CLASSES = {"background": 0, "lesion": 1}


@pytest.fixture
def writer(tmp_path):
    kinds = ["nifti", "measurements"]
    return CaseWriter(tmp_path, CLASSES, BUNDLE, write=kinds, options={"mode": "fast"}, device="cpu")


def rows(folder):
    with (folder / "cases.csv").open(newline="") as file:
        return {row["case"]: row for row in csv.DictReader(file)}


def test_each_case_has_its_folder_and_its_row(evaluator, writer, tmp_path):
    run = evaluator(2, handlers=[writer])
    run.run()
    run.conclude()
    for case in ("case_1", "case_2"):
        files = {path.name for path in (tmp_path / case).iterdir()}
        assert files == {"labels.nii.gz", "measurements.json", "provenance.json"}
        assert rows(tmp_path)[case]["status"] == "done"
        assert float(rows(tmp_path)[case]["lesion_ml"]) == pytest.approx(0.12)
    record = json.loads((tmp_path / "case_1" / "provenance.json").read_text())
    assert record["bundle"] == {"name": "a bundle", "version": "1.2.3", "weights_hash": "sha256:0"}
    assert (record["device"], record["options"]) == ("cpu", {"mode": "fast"})
    assert set(record["seconds"]) == {"read", "network", "restore", "write"}


@pytest.mark.parametrize("stage", ["read", "network", "restore"])
def test_a_failed_case_has_a_row_that_says_why_and_no_folder(evaluator, failing_on, writer, tmp_path, stage):
    error = GeometryError("the slices are not evenly spaced", where="scan", found="gaps of 1 and 3 mm")
    evaluator(3, handlers=[writer], **{stage: failing_on(2.0, error)}).run()
    row = rows(tmp_path)["case_2"]
    assert (row["status"], row["error"]) == ("failed", str(error))
    assert float(row["seconds"]) >= 0
    assert row["lesion_ml"] == ""
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["case_1", "case_3"]


def test_a_case_that_cannot_be_written_leaves_the_others_alone(evaluator, writer, tmp_path):
    (tmp_path / "case_2").write_text("a file where the folder shall be")
    run = evaluator(3, handlers=[writer])
    run.run()
    assert [type(failure.error) for failure in run.failures] == [OutputError]
    assert {case: row["status"] for case, row in rows(tmp_path).items()} == {
        "case_1": "done",
        "case_2": "failed",
        "case_3": "done",
    }


def test_unknown_kinds_are_refused_before_any_case(tmp_path):
    with pytest.raises(SettingError, match="unknown kind of result"):
        CaseWriter(tmp_path, CLASSES, BUNDLE, write=["everything"])


def test_what_cannot_be_sent_keeps_its_files_and_figures(evaluator, tmp_path):
    """Volumes that are no DICOM have neither SEG nor SR."""
    writer = CaseWriter(tmp_path, CLASSES, BUNDLE, write=["nifti", "measurements", "seg"], send="http://127.0.0.1:9/d")
    run = evaluator(2, handlers=[writer])
    run.run()
    with pytest.raises(CasesFailedError, match="2 of 2 cases failed"):
        run.conclude()
    row = rows(tmp_path)["case_1"]
    assert row["status"] == "not sent"
    assert "there is neither SEG nor SR" in row["error"]
    assert float(row["lesion_ml"]) == pytest.approx(0.12)
    assert {path.name for path in (tmp_path / "case_1").iterdir()} >= {"labels.nii.gz", "provenance.json"}


@pytest.mark.parametrize(
    ("send", "write"),
    [
        ("https://host/dicom-web", ["nifti", "measurements"]),
        ("https://someone:secret@host/dicom-web", ["seg"]),
        ("host/dicom-web", ["seg"]),
    ],
)
def test_what_can_never_be_sent_is_said_before_any_case(tmp_path, send, write):
    with pytest.raises(SettingError) as caught:
        CaseWriter(tmp_path, CLASSES, BUNDLE, write=write, send=send)
    assert "secret" not in str(caught.value)

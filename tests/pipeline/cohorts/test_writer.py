"""The files of each case and its row; what cannot be written is the case's failure."""

import csv
import json

import pytest

from pipeline.cohorts import CaseWriter
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

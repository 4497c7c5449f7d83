"""Cases that are done are left alone, those that are stale are not, and no two runs do the same one."""

import json
import logging
import os
import threading
import time
from dataclasses import replace

import pytest

from pipeline.cohorts import open_cases
from pipeline.cohorts.claims import Claims
from pipeline.export import BundleIdentity
from transforms.errors import GeometryError

ALL = ["case_1", "case_2", "case_3", "case_4"]
ERROR = GeometryError("the slices are not evenly spaced", where="scan")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(open_cases, "SECONDS_BETWEEN_LOOKS", 0.02)


def test_a_second_run_reads_nothing_and_changes_nothing(cohort):
    cohort.run()
    assert sorted(cohort.worked) == ALL
    files = [cohort.out / "cases.csv", *cohort.out.glob("case_*/*")]
    before = {path: path.stat().st_mtime_ns for path in files}

    def read(value):
        raise AssertionError("nothing is to be read")

    evaluator = cohort.run(read=read)
    evaluator.conclude()
    assert cohort.worked == []
    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_failed_cases_are_tried_again_and_the_others_are_not(cohort, failing_on):
    assert [failure.case for failure in cohort.run(read=failing_on(2.0, ERROR)).failures] == ["case_2"]
    assert cohort.rows()["case_2"]["status"] == "failed"
    cohort.run().conclude()
    assert cohort.worked == ["case_2"]
    assert [row["status"] for row in cohort.rows().values()] == ["done"] * 4


def other_bundle(cohort):
    cohort.bundle = replace(cohort.bundle, version="2")
    return ALL, "it was made by a bundle 1, and this is a bundle 2"


def other_weights(cohort):
    cohort.bundle = replace(cohort.bundle, weights_hash="sha256:1")
    return ALL, "the weights are others"


def other_setting(cohort):
    cohort.settings = {**cohort.settings, "overlap": 0.25}
    return ALL, "the setting overlap was 0.5 and is 0.25"


def new_setting(cohort):
    cohort.settings = {**cohort.settings, "min_component_ml": 1}
    return ALL, "the setting min_component_ml was not set and is 1"


def more_files(cohort):
    cohort.settings = {**cohort.settings, "write": ["nifti", "probabilities"]}
    return ALL, "the setting write was not set and is"


def other_input(cohort):
    cohort.files[2].write_text("3   ")
    return ["case_3"], "the input has changed"


def touched_input(cohort):
    os.utime(cohort.files[2], (1, 1))
    return ["case_3"], "the input has changed"


def lost_file(cohort):
    (cohort.out / "case_1" / "labels.nii.gz").unlink()
    return ["case_1"], "labels.nii.gz is missing"


def result_of_an_older_version(cohort):
    path = cohort.out / "case_4" / "provenance.json"
    record = json.loads(path.read_text())
    del record["settings"]
    path.write_text(json.dumps(record))
    return ["case_4"], "it does not say which settings"


@pytest.mark.parametrize(
    "change",
    [
        other_bundle,
        other_weights,
        other_setting,
        new_setting,
        more_files,
        other_input,
        touched_input,
        lost_file,
        result_of_an_older_version,
    ],
)
def test_what_does_not_count_any_more_is_done_again_and_it_is_said(cohort, caplog, change):
    cohort.run()
    stale, why = change(cohort)
    with caplog.at_level(logging.WARNING, logger="pipeline.cohorts"):
        cohort.run()
    assert sorted(cohort.worked) == stale
    said = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.case for record in said] == stale
    assert all(f"is done again: {why}" in record.getMessage() for record in said)
    cohort.run()
    assert cohort.worked == []


def nothing_more_is_refused(cohort):
    cohort.settings = {**cohort.settings, "allow": ["uneven"]}


def fewer_files(cohort):
    cohort.settings = {**cohort.settings, "write": ["nifti"]}


def data_moved_as_a_whole(cohort):
    folder = cohort.out.parent / "elsewhere"
    folder.mkdir()
    for path in cohort.files:
        path.rename(folder / path.name)
    cohort.files = [folder / path.name for path in cohort.files]


def damaged_result_is_no_result(cohort):
    (cohort.out / "cases.csv").unlink()


@pytest.mark.parametrize(
    "change", [nothing_more_is_refused, fewer_files, data_moved_as_a_whole, damaged_result_is_no_result]
)
def test_what_changes_no_result_makes_none_stale(cohort, change):
    cohort.run()
    before = cohort.rows()
    change(cohort)
    cohort.run().conclude()
    assert cohort.worked == []
    assert cohort.rows() == before


def test_a_stale_case_that_fails_does_not_look_done(cohort, failing_on):
    cohort.run()
    cohort.files[0].write_text("1 ")
    cohort.run(read=failing_on(1.0, ERROR))
    assert not (cohort.out / "case_1" / "provenance.json").exists()
    assert cohort.rows()["case_1"]["status"] == "failed"


def test_what_a_killed_run_left_is_swept(cohort):
    folder = cohort.out / "case_1"
    folder.mkdir(parents=True)
    (folder / ".labels-0123abcd.nii.gz").write_bytes(b"half")
    (cohort.out / ".cases-0123abcd.csv").write_text("half")
    cohort.run()
    assert not list(folder.glob(".*"))
    assert not list(cohort.out.glob(".cases-*"))


def test_two_runs_at_once_do_no_case_twice(cohort):
    others = replace(cohort, worked=[])
    runs = [one.evaluator(network=lambda value: time.sleep(0.02) or value) for one in (cohort, others)]
    threads = [threading.Thread(target=run.run) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(cohort.worked + others.worked) == ALL
    assert [run.failures for run in runs] == [[], []]
    assert {case: row["status"] for case, row in cohort.rows().items()} == dict.fromkeys(ALL, "done")


def test_a_case_that_fails_in_another_run_is_not_tried_in_this_one(cohort, failing_on):
    """The other run holds the case until this one has done all others."""
    here, there = threading.Event(), threading.Event()

    def fail_late(value):
        there.set()
        here.wait(10)
        return failing_on(1.0, ERROR)(value)

    other = replace(cohort, files=cohort.files[:1], worked=[]).evaluator(network=fail_late)
    thread = threading.Thread(target=other.run)
    thread.start()
    assert there.wait(10)
    evaluator = cohort.evaluator(network=lambda value: value if value != 4.0 else (here.set(), value)[1])
    evaluator.run()
    thread.join(timeout=60)
    assert sorted(cohort.worked) == ALL[1:]
    assert [failure.case for failure in evaluator.failures] == ["case_1"]
    assert str(ERROR).rstrip(".") in str(evaluator.failures[0].error)


def test_a_file_system_without_locks_is_said_once_and_all_is_done(cohort, monkeypatch, caplog):
    def no_locks(self, **options):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("pipeline.cohorts.claims.FileLock.acquire", no_locks)
    claims = Claims(cohort.out)
    with caplog.at_level(logging.WARNING, logger="pipeline.cohorts"):
        assert claims.claim("a")
        assert claims.claim("b")
    assert len(caplog.records) == 1
    assert "has no locks" in caplog.text
    claims.release_all()


def test_a_claim_is_seen_by_others_until_it_is_given_back(tmp_path):
    one, other = Claims(tmp_path), Claims(tmp_path)
    assert one.claim("a")
    assert not other.claim("a")
    assert other.claim("b")
    one.release("a")
    assert other.claim("a")


def test_bundles_without_weights_have_an_identity_too(cohort):
    cohort.bundle = BundleIdentity(name="thresholds", version="1")
    cohort.run()
    cohort.run()
    assert cohort.worked == []

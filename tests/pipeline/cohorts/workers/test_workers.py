"""Cases over several workers: whichever worker is killed, every case is done or says why not."""

import csv
import importlib.util
import logging
import os
import threading
import time
from pathlib import Path

import pytest
from monai.bundle import ConfigParser

from pipeline.cohorts.evaluator import CasesFailedError
from pipeline.cohorts.failures import Failure
from pipeline.cohorts.workers.driver import Driver
from pipeline.cohorts.workers.errors import WorkerKilledError
from pipeline.cohorts.workers.feed import CaseFeed, Outcome
from pipeline.cohorts.workers.plan import count_jobs, device_here
from tests.pipeline.cohorts.workers import tiny
from transforms.errors import SettingError, UnreadableError

REPOSITORY = Path(__file__).parents[4]
HAS_RAY = importlib.util.find_spec("ray") is not None
ENGINES = [
    pytest.param("local", marks=pytest.mark.slow),
    pytest.param("ray", marks=[pytest.mark.service, pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed")]),
]


@pytest.fixture
def files(tmp_path):
    """A function that writes cases with these words."""

    def write(*words):
        paths = [tmp_path / f"case_{number}.txt" for number in range(1, len(words) + 1)]
        for path, word in zip(paths, words, strict=True):
            path.write_text(word)
        return paths

    return write


@pytest.fixture(scope="module")
def ray_cluster():
    """A local cluster with room for two workers."""
    import ray

    path = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(REPOSITORY)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield
    ray.shutdown()
    os.environ.pop("PYTHONPATH") if path is None else os.environ.update(PYTHONPATH=path)


@pytest.fixture
def run(request, tmp_path):
    """A function that runs cases over two workers, and gives the evaluator and the rows by their case."""

    def run(engine, paths, **keys):
        if engine == "ray":
            request.getfixturevalue("ray_cluster")
        parser = ConfigParser(tiny.config(paths, tmp_path / "out", engine=engine, **keys))
        evaluator = parser.get_parsed_content("evaluator")
        evaluator.run()
        with (tmp_path / "out" / "cases.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len({row["case"] for row in rows}) == len(rows) == len(paths)
        return evaluator, {row["case"]: row for row in rows}

    return run


@pytest.mark.parametrize("engine", ENGINES)
def test_a_worker_is_killed_mid_run_and_every_case_is_done(engine, run, files):
    paths = files("1", "2", "kills once", "4", "5", "6")
    evaluator, rows = run(engine, paths)
    evaluator.conclude()
    assert {row["status"] for row in rows.values()} == {"done"}
    workers = {pid for path in paths for pid in path.with_suffix(".begun").read_text().split()}
    assert len(workers) > 1  # the one that was killed, and another
    assert str(os.getpid()) not in workers
    assert not [path for path in (paths[0].parent / "out").rglob(".*-*") if path.is_file()]
    before = [tiny.count(path, "begun") for path in paths]
    run(engine, paths)
    assert [tiny.count(path, "begun") for path in paths] == before


@pytest.mark.slow
def test_a_case_that_kills_whoever_does_it_fails_alone(run, files):
    paths = files("1", "broken", "kills", "4", "5")
    evaluator, rows = run("local", paths)
    assert [rows[f"case_{number}"]["status"] for number in range(1, 6)] == ["done", "failed", "failed", "done", "done"]
    assert "it is broken" in rows["case_2"]["error"]
    assert "the process that worked on it was killed" in rows["case_3"]["error"]
    left = paths[2].with_suffix(".temporary").read_text().split()
    assert len(left) > 1  # each time that it was tried
    assert not any(Path(folder).exists() for folder in left)
    with pytest.raises(CasesFailedError, match="2 of 5 cases failed"):
        evaluator.conclude()
    for path in paths[1:3]:
        path.write_text("mended")
    run("local", paths)[0].conclude()


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_wrong_with_the_workflow_is_one_error(engine, run, files):
    with pytest.raises(UnreadableError, match="the weights are not weights"):
        run(engine, files("1", "2"), quality="$tiny.quality_of_workers(@cases)")


class Scripted:
    """A worker that does what a list of numbers says."""

    def __init__(self, kills=(), seconds=0.0):
        self.kills, self.seconds, self.calls = list(kills), seconds, []

    def load(self):
        self.calls.append("load")

    def process(self, item):
        time.sleep(self.seconds)
        if item["case"] in self.kills:
            self.kills.remove(item["case"])
            raise WorkerKilledError(where=item["case"])
        return Outcome(case=item["case"], status="done")

    def end(self):
        self.calls.append("end")

    def interrupt(self):
        self.calls.append("interrupt")


ITEMS = [{"case": str(number)} for number in range(20)]


def test_each_case_has_one_outcome_whoever_is_killed():
    workers = [Scripted(["3", "7", "7"]), Scripted(["3", "7", "7"], 0.001)]
    with Driver(workers, in_hand=2) as driver:
        outcomes = list(driver(ITEMS))
    assert sorted(outcome.case for outcome in outcomes) == sorted(item["case"] for item in ITEMS)
    failures = [outcome.failure for outcome in outcomes if outcome.failure]
    assert {failure.case for failure in failures} <= {"3", "7"}
    assert [worker.calls for worker in workers] == [["load", "end"]] * 2


def test_who_is_killed_once_with_another_case_is_not_blamed():
    with Driver([Scripted(["5"])], in_hand=3) as driver:
        outcomes = list(driver(ITEMS))
    assert all(outcome.status == "done" for outcome in outcomes)
    assert outcomes[-1].case == "5"  # last, alone


def test_whatever_ends_a_run_ends_its_workers():
    def interrupted(driver):
        with driver:
            next(driver(ITEMS))
            raise KeyboardInterrupt

    worker = Scripted(seconds=0.001)
    with pytest.raises(KeyboardInterrupt):
        interrupted(Driver([worker], in_hand=2))
    assert worker.calls[0] == "load"
    assert worker.calls[-1] == "interrupt"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("worker")]


def test_an_error_of_all_cases_ends_the_run():
    class Full(Scripted):
        def process(self, item):
            raise UnreadableError("the disk is full")

    worker = Full()
    with pytest.raises(UnreadableError), Driver([worker], in_hand=2) as driver:
        list(driver(ITEMS))
    assert worker.calls[-1] == "interrupt"


def test_a_feed_gives_each_who_asks_the_outcome_of_what_he_asked_for():
    feed, got = CaseFeed(), {}
    asking = [
        threading.Thread(target=lambda name=name: got.update({name: feed({"case": name}).case})) for name in "abc"
    ]
    for thread in asking:
        thread.start()
    cases = iter(feed)
    for item in reversed([next(cases) for _ in "abc"]):
        feed.answer(Outcome(case=item["case"], status="done"))
    for thread in asking:
        thread.join(5)
    assert got == {"a": "a", "b": "b", "c": "c"}
    feed.close(UnreadableError("over"))
    with pytest.raises(UnreadableError, match="over"):
        feed({"case": "d"})
    assert list(feed) == []


def test_the_number_of_workers_and_what_is_left_for_this_process():
    assert count_jobs("local", None, "cpu") == 1
    assert count_jobs("local", 3, "cpu") == 3
    assert count_jobs("ray", None, "cpu") is None
    assert str(device_here("cpu", "local", 2)) == "cpu"
    for engine, jobs, where in (("slurm", 1, "engine"), ("local", 0, "jobs"), ("local", "two", "jobs")):
        with pytest.raises(SettingError, match=where):
            count_jobs(engine, jobs, "cpu")


def test_a_killed_worker_is_told_with_what_to_do():
    failure = Failure.of("a", WorkerKilledError(where="a"), seconds=0)
    assert "It may have run out of memory" in str(failure.error)

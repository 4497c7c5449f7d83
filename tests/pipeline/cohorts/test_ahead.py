"""Reading, network and writing overlap, within the memory that is given; whatever ends a run ends its threads."""

import errno
import threading
import time
import weakref

import pytest

from pipeline.cohorts.ahead import Ahead
from pipeline.cohorts.failures import Failure, OutOfMemoryError
from pipeline.export import files
from transforms.errors import OutputError, SettingError

ALIVE = weakref.WeakSet()


class Volume:
    def __init__(self, number):
        self.number = number
        ALIVE.add(self)


def slow(count, seconds):
    for number in range(count):
        time.sleep(seconds)
        yield Volume(number)


def network_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith(("reading", "network"))]


@pytest.mark.parametrize("items", [1, 2, 3, 5])
def test_order_and_number_of_items_in_memory(items):
    most, seen = 0, []

    def step(volume):
        nonlocal most
        most = max(most, len(ALIVE))
        return volume

    for volume in Ahead(slow(20, 0.001), step, items=items):
        time.sleep(0.01)  # all that may be read ahead is there now
        most = max(most, len(ALIVE))
        seen.append(volume.number)
        del volume
    assert seen == list(range(20))
    assert most == items


def test_stages_overlap():
    def step(volume):
        time.sleep(0.03)
        return volume

    begun = time.perf_counter()
    for _ in Ahead(slow(10, 0.03), step, items=3):
        time.sleep(0.03)
    assert time.perf_counter() - begun < 0.7 * 10 * 3 * 0.03


@pytest.mark.parametrize("items", [1, 3])
def test_what_a_stage_raises_comes_in_its_place(items):
    def step(volume):
        if volume.number == 2:
            raise ValueError("two")
        return volume

    seen = []
    volumes = iter(Ahead(slow(5, 0), step, items=items))
    seen += [next(volumes).number, next(volumes).number]
    with pytest.raises(ValueError, match="two"):
        next(volumes)
    assert seen == [0, 1]
    assert not network_threads()


def test_who_leaves_early_ends_the_threads_and_they_are_told():
    told = threading.Event()
    ahead = Ahead(slow(50, 0.01), lambda volume: volume, items=3, stop=told.set)
    next(iter(ahead))
    ahead.close()
    assert told.is_set()
    assert not network_threads()


def test_no_room_is_refused():
    with pytest.raises(SettingError, match="volumes_in_memory"):
        Ahead([], lambda item: item, items=0)


@pytest.mark.parametrize("volumes", [1, 3])
def test_an_interrupt_leaves_nothing_half_done_and_no_claim(cohort, volumes):
    def interrupt(value):
        if value == 2:
            raise KeyboardInterrupt
        return value

    with pytest.raises(KeyboardInterrupt):
        cohort.run(restore=interrupt, volumes_in_memory=volumes)
    assert not network_threads()
    assert list(cohort.rows()) == ["case_1"]
    assert not (cohort.out / "case_2").exists()
    cohort.run().conclude()
    assert sorted(cohort.worked) == ["case_2", "case_3", "case_4"]
    assert len(cohort.rows()) == 4


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp:1] . DefaultCPUAllocator: can't allocate memory")],
)
def test_want_of_memory_is_a_users_error_that_says_what_to_do(cohort, failing_on, error):
    (failure,) = cohort.run(network=failing_on(2.0, error)).failures
    assert isinstance(failure.error, OutOfMemoryError)
    assert "Set volumes_in_memory to 1" in cohort.rows()["case_2"]["error"]


def test_a_failure_keeps_no_volume_alive():
    def fail(volume):
        raise ValueError(volume.number)

    def failure():
        volume = Volume(1)
        try:
            fail(volume)
        except ValueError as error:
            return Failure.of("a", error, seconds=0), weakref.ref(volume)
        raise AssertionError

    found, volume = failure()
    assert volume() is not None
    found.let_go()
    assert volume() is None


def test_a_full_disk_ends_the_run_and_whole_files_stay_whole(cohort, monkeypatch):
    """Everything of the third case fails to be written, as on a disk that has just filled up."""
    flush = files._flush_to_disk

    def full(path):
        if (cohort.out / "case_2" / "provenance.json").exists() and "case_" in path.parent.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(path)

    monkeypatch.setattr(files, "_flush_to_disk", full)
    with pytest.raises(OutputError, match=r"No space left on device.*Free some space"):
        cohort.run()
    assert not [path for path in cohort.out.rglob(".*-*") if path.is_file()]
    assert {case: row["status"] for case, row in cohort.rows().items()} == {
        "case_1": "done",
        "case_2": "done",
        "case_3": "failed",
    }
    monkeypatch.setattr(files, "_flush_to_disk", flush)
    cohort.run().conclude()
    assert sorted(cohort.worked) == ["case_3", "case_4"]

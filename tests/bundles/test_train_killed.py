"""A training that is killed with SIGKILL again and again ends as one that was let alone, to the bit."""

import os
import random
import signal
import time

import pytest
import torch

EPOCHS = 20  # far more than the kills wait for
WAIT_S = 120


def saved(path):
    return torch.load(path, weights_only=True)


def alike(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return one == other


def wait_for(there, every_s=0.0):
    deadline = time.monotonic() + WAIT_S
    while not there():
        assert time.monotonic() < deadline, "the training did not come so far"
        time.sleep(every_s)


def epoch_of(run):
    """The epoch of the newest checkpoint, 0 where there is none; a file may go while it is looked at."""
    try:
        return saved(run / "last.pt")["epoch"]
    except FileNotFoundError:
        return 0


def half_written(run):
    return [name for name in os.listdir(run) if name.startswith(".last-")]


class Moments:
    """When the training is killed: each waits for its moment."""

    def __init__(self, run, epoch_s):
        self.run = run
        self.epoch_s = epoch_s
        self.random = random.Random()

    def while_cases_are_preprocessed(self, pid):
        wait_for(lambda: any(self.run.glob("cache/*.lock")))

    def while_a_checkpoint_is_written(self, pid):
        def stopped_while_writing():
            if not half_written(self.run):
                return False
            os.kill(pid, signal.SIGSTOP)
            os.kill(pid, signal.SIGCONT if (too_late := not half_written(self.run)) else signal.SIGSTOP)
            return not too_late

        wait_for(stopped_while_writing)

    def at_any_moment_of_an_epoch(self, pid):
        before = epoch_of(self.run)
        wait_for(lambda: epoch_of(self.run) > before, 0.01)
        time.sleep(self.random.uniform(0, self.epoch_s))


@pytest.mark.slow
@pytest.mark.parametrize("augment_on", ["cpu", "device"])
def test_a_training_killed_at_several_moments_ends_bit_identical(train, data_set, tmp_path, augment_on):
    keys = {"max_epochs": EPOCHS, "num_workers": 2, "val_interval": 2, "augment_on": augment_on}
    result = train(data_set, tmp_path / "whole", **keys)
    assert result.returncode == 0, result.stderr
    expected = saved(tmp_path / "whole" / "last.pt")
    run = tmp_path / "killed"
    moments, left_half = Moments(run, expected["budget"]["elapsed_s"] / EPOCHS), 0
    for moment in (
        moments.while_cases_are_preprocessed,
        moments.at_any_moment_of_an_epoch,
        moments.while_a_checkpoint_is_written,
        moments.at_any_moment_of_an_epoch,
    ):
        begun = train.begin(data_set, run, **keys)
        moment(begun.pid)
        os.kill(begun.pid, signal.SIGKILL)
        assert begun.end().returncode == -signal.SIGKILL
        left_half += len(half_written(run))
    assert left_half >= 1  # a moment at random may be that of a checkpoint too
    assert epoch_of(run) < EPOCHS
    result = train(data_set, run, **keys)
    assert result.returncode == 0, result.stderr
    assert "resuming after epoch" in result.stderr
    last = saved(run / "last.pt")
    last["budget"] = expected["budget"]  # seconds, which differ
    assert alike(last, expected)
    assert alike(saved(run / "best.pt"), saved(tmp_path / "whole" / "best.pt"))
    assert {path.name for path in run.iterdir()} == {path.name for path in (tmp_path / "whole").iterdir()}
    assert not list(run.glob("cache/.*"))

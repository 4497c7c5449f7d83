"""Parts keep their order; memory that runs out halves batches, then moves the sums; interruption leaves no thread."""

import logging
import os
import signal
import threading
import time

import pytest
import torch
from torch import nn

from pipeline.inference import PatchInferer
from pipeline.inference.running import in_batches, in_threads

CPU = torch.device("cpu")


def parts(count):
    return [torch.full((1, 2, 2, 2), float(index)) for index in range(count)]


class Small(nn.Module):
    """Takes no more parts at a time than there is memory for."""

    def __init__(self, most):
        super().__init__()
        self.most = most
        self.batches = []

    def forward(self, batch):
        if len(batch) > self.most:
            raise torch.OutOfMemoryError("out of memory")
        self.batches.append(len(batch))
        return batch + 1


@pytest.mark.parametrize("most", [1, 2, 3, 8])
def test_out_of_memory_halves_the_batch(most, caplog):
    network = Small(most)
    out = [int(one.flatten()[0]) for one in in_batches(network, parts(11), 8, CPU)]
    assert out == list(range(1, 12))
    assert max(network.batches) <= most
    assert bool(caplog.records) == (most < 8)


def test_a_single_part_too_many_is_an_error():
    with pytest.raises(torch.OutOfMemoryError):
        list(in_batches(Small(0), parts(3), 4, CPU))


def test_sums_move_to_the_host_with_one_warning(caplog):
    """The network's device is one by name only; there, it always runs out of memory for the first volume."""
    image = torch.rand((1, 1, 20, 20, 20))
    tries = []

    def network(batch):
        tries.append(len(batch))
        if len(tries) <= 3:
            raise torch.OutOfMemoryError("out of memory")
        return batch

    with caplog.at_level(logging.WARNING):
        out = PatchInferer((16, 16, 16), precision="float32", batch_size=4, device="cpu:0")(image, network)
    torch.testing.assert_close(out, image, atol=1e-5, rtol=0)
    assert tries[:4] == [4, 2, 1, 4]
    assert len([record for record in caplog.records if "gathered" in record.getMessage()]) == 1


def test_a_halved_batch_stays_so_for_its_volume_and_is_said_once(caplog):
    image = torch.ones((2, 1, 40, 40, 40))  # something is found everywhere, so that there are several looks
    network = Small(3)
    inferer = PatchInferer(
        (16, 16, 16), precision="float32", batch_size=4, backend="module", placement="adaptive", activation="sigmoid"
    )
    torch.testing.assert_close(inferer(image, network), image + 1, atol=1e-5, rtol=0)
    assert [record.args[1] for record in caplog.records if "out of memory" in record.msg] == [2, 2]  # of two volumes
    assert max(network.batches) == 2


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_give_parts_in_order(threads):
    def slow_at_first(part):
        time.sleep(0.02 if part.flatten()[0] == 0 else 0)
        return part + 1

    assert [int(one.flatten()[0]) for one in in_threads(slow_at_first, parts(9), threads)] == list(range(1, 10))


def test_no_more_parts_are_made_than_are_needed():
    made = []

    def endless():
        for part in parts(50):
            made.append(part)
            yield part

    first = in_threads(lambda part: part, endless(), 2)
    next(first)
    assert len(made) <= 4
    first.close()


@pytest.mark.parametrize("error", [KeyboardInterrupt, torch.OutOfMemoryError])
def test_after_an_interruption_no_thread_computes(error):
    before, computing, begun = torch.get_num_threads(), set(), []

    def network(part):
        begun.append(part)
        if part.flatten()[0] == 3:
            raise error
        computing.add(threading.get_ident())
        time.sleep(0.05)
        computing.discard(threading.get_ident())
        return part

    with pytest.raises(error):
        list(in_threads(network, parts(20), 2))
    assert not computing
    count = len(begun)
    time.sleep(0.2)
    assert len(begun) == count < 20
    assert torch.get_num_threads() == before


def test_threads_stay_for_the_next_parts():
    seen = [set(), set()]
    for names in seen:
        list(in_threads(lambda part, names=names: names.add(threading.get_ident()) or part, parts(12), 2))
    assert seen[0] | seen[1] <= {thread.ident for thread in threading.enumerate()}
    assert len(seen[0] | seen[1]) <= 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_threads_of_its_own():
    list(in_threads(lambda part: part, parts(4), 2))
    child = os.fork()
    if child == 0:
        os._exit(0 if len(list(in_threads(lambda part: part, parts(4), 2))) == 4 else 1)
    deadline = time.monotonic() + 30
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.05)
    if ended == (0, 0):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ended == (child, 0)

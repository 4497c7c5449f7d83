"""Every piece is done once, by threads of one processor; an error ends the rest; torch has its threads back."""

import threading
import time

import pytest
import torch

from transforms.threads import in_pieces


@pytest.fixture(params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_every_piece_is_done_once(threads):
    done, widths = [], set()

    def work(piece):
        widths.add(torch.get_num_threads())
        done.append(piece)

    in_pieces(work, range(20))
    assert sorted(done) == list(range(20))
    assert widths == {1}
    assert torch.get_num_threads() == threads


def test_an_error_ends_the_rest(threads):
    done = []

    def work(piece):
        if piece == 2:
            raise KeyError(piece)
        time.sleep(0.01)
        done.append(piece)

    before = threading.active_count()
    with pytest.raises(KeyError):
        in_pieces(work, range(200))
    assert len(done) < 100
    assert threading.active_count() == before
    assert torch.get_num_threads() == threads

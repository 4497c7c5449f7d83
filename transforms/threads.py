"""Pieces of work, each in a thread of its own.

torch computes every operation with all threads, which wait for each other at its end. On a machine that does anything
else too they wait long: up to a time slice of the system for each of thousands of small operations. Threads that have a
piece of their own never wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Piece = TypeVar("Piece")


def in_pieces(work: Callable[[Piece], None], pieces: Iterable[Piece]) -> None:
    """Does all pieces of some work, as many at a time as torch has threads here.

    Args:
        work: Called with each piece, in threads that compute on one processor.
        pieces: Handed out in their order.

    Raises:
        Exception: The first that a piece raised; those that were not begun then are left.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        for piece in pieces:
            work(piece)
        return
    with one_thread_each(), thread_pool(threads) as pool:
        running = [pool.submit(work, piece) for piece in pieces]
        try:
            for future in running:
                future.result()
        except BaseException:  # boundary: whatever ends it, what was not begun is left; it goes on to the caller
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def thread_pool(threads: int) -> ThreadPoolExecutor:
    """Threads that compute on one processor each; to be used within :func:`one_thread_each`."""
    return ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))


@contextmanager
def one_thread_each() -> Iterator[None]:
    """A context in which torch computes with one thread here; afterwards it has as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

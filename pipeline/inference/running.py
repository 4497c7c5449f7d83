"""Parts of a volume through a network in their order: in batches, or a part a thread."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from itertools import islice

import torch

from pipeline.inference.allocation import keep_memory
from pipeline.inference.backends import Compiled
from pipeline.inference.ferrying import Download, brought
from transforms.threads import one_thread_each, thread_pool

logger = logging.getLogger(__name__)


def in_batches(
    run: Compiled,
    parts: Iterable[torch.Tensor],
    batch_size: int,
    device: torch.device,
    gather: torch.device | None = None,
    halved: Callable[[int], None] | None = None,
) -> Iterator[torch.Tensor]:
    """Logits of parts, several at a time; where memory of the device runs out, half as many.

    Args:
        run: The network.
        parts: Each `(C, ...)`, all of one shape.
        batch_size: Parts at a time, at most.
        device: Where the network runs.
        gather: Where the logits are wanted, by default there too; elsewhere they arrive while the next batch is
            computed.
        halved: Told how many parts at a time there was room for, when it was fewer.

    Yields:
        `(K, ...)` of each part, in their order.

    Raises:
        torch.OutOfMemoryError: When one part alone is too much.
    """
    gather = device if gather is None else gather
    before: Download | None = None
    for logits in _computed(run, parts, batch_size, device, halved):
        now = Download(logits, gather)
        if gather == device:
            yield from now.wait()
            continue
        if before is not None:
            yield from before.wait()
        before = now
    if before is not None:
        yield from before.wait()


def _computed(
    run: Compiled,
    parts: Iterable[torch.Tensor],
    batch_size: int,
    device: torch.device,
    halved: Callable[[int], None] | None,
) -> Iterator[torch.Tensor]:
    """Logits `(N, K, ...)` of batches, on the device."""
    waiting = iter(parts)
    batch = list(islice(waiting, batch_size))
    while batch:
        try:
            with torch.inference_mode():
                logits = run(brought(torch.stack(batch[:batch_size]), device))
        except torch.OutOfMemoryError:
            if batch_size == 1:
                raise
            batch_size = max(1, min(batch_size, len(batch)) // 2)
            _free(device)
            logger.warning("out of memory on %s: %d patches at a time from now on", device, batch_size)
            if halved is not None:
                halved(batch_size)
            continue
        yield logits
        batch = batch[batch_size:] or list(islice(waiting, batch_size))


def in_threads(run: Compiled, parts: Iterable[torch.Tensor], threads: int) -> Iterator[torch.Tensor]:
    """Logits of parts, each computed by one thread of its own.

    Threads that wait for each other at the end of every layer lose more than they gain once anything else runs on the
    machine; threads with a part of their own never wait.

    Args:
        run: The network; may be called by several threads.
        parts: Each `(C, ...)`.
        threads: How many parts are computed at a time.

    Yields:
        `(K, ...)` of each part, in their order.
    """
    keep_memory()
    waiting = iter(parts)
    pool = _threads(threads)
    running: deque[Future[torch.Tensor]] = deque()
    with one_thread_each():  # also for what the caller does with the logits meanwhile
        try:
            for part in waiting:
                running.append(pool.submit(_one, run, part))
                if len(running) > threads:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            wait([future for future in running if not future.cancel()])


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    """Threads that stay, with what oneDNN keeps in each for a network: made anew for each look it took 0.2 GB more."""
    return thread_pool(count)


if hasattr(os, "register_at_fork"):  # a forked process has the pools of its parent, but not their threads
    os.register_at_fork(after_in_child=_threads.cache_clear)


def _one(run: Compiled, part: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return run(part[None])[0]


def _free(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()

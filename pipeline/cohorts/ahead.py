"""Stages that overlap: while one case is being finished, the next is in the network, and the one after is read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar, cast

from transforms.errors import SettingError

Item = TypeVar("Item")

_END: Any = object()


class Ahead(Iterable[Item]):
    """Items of a loader, each through a step, made ahead of who takes them, in the loader's order.

    The loader runs in one thread and the step in another. Who iterates holds one item; it is done with it when it asks
    for the next. What the loader or the step raises reaches it in the item's place.

    Args:
        loader: Where items come from.
        step: What each goes through.
        items: How many there are at a time: being read, in the step, waiting, and in the hands of who iterates. 1: one
            after the other, in the caller's thread.
        stop: Called when the iteration ends before its end, to make both threads return soon: they are waited for.
        prepare: Called once in the step's thread, while the first item is read; not where there is but one at a time.

    Raises:
        SettingError: When there is no room for an item.
    """

    def __init__(
        self,
        loader: Any,
        step: Callable[[Item], Item],
        *,
        items: int,
        stop: Callable[[], None] = lambda: None,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        if items < 1:
            raise SettingError("nothing fits into the memory", where="volumes_in_memory", found=items, expected=">= 1")
        self.loader = loader
        self.step = step
        self.items = items
        self.stop = stop
        self.prepare = prepare
        self._iterator: Generator[Item] | None = None

    def __iter__(self) -> Iterator[Item]:
        """Begins anew."""
        self._iterator = self._in_turn() if self.items == 1 else self._overlapped()
        return self._iterator

    def close(self) -> None:
        """Ends the iteration, and its threads."""
        if self._iterator is not None:
            self._iterator.close()
            self._iterator = None

    def _in_turn(self) -> Generator[Item]:
        for item in self.loader:
            yield self.step(item)
            del item

    def _overlapped(self) -> Generator[Item]:
        source = iter(self.loader)
        waiting: deque[Future[Item]] = deque()
        with ThreadPoolExecutor(1, "reading") as reading, ThreadPoolExecutor(1, "network") as network:
            try:
                if self.prepare is not None:
                    network.submit(self.prepare)
                while True:
                    while len(waiting) < self.items:
                        read = cast("Future[Item]", reading.submit(next, source, _END))
                        waiting.append(network.submit(self._through, read))
                        del read  # which would keep the item
                    item = waiting.popleft().result()
                    if item is _END:
                        return
                    yield item
                    del item
            except BaseException:  # boundary: whatever ends it, the threads are told; it goes on to the caller
                self.stop()
                for left in waiting:
                    left.cancel()
                raise

    def _through(self, read: Future[Item]) -> Item:
        item = read.result()
        return item if item is _END else self.step(item)

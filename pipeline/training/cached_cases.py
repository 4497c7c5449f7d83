"""Data sets whose cases are preprocessed once: into memory, or into files that are opened memory-mapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.data import CacheDataset
from monai.transforms import Compose, RandomizableTrait, Transform

from pipeline.training.item_keys import described, item_key
from pipeline.training.mapped_items import MappedItems


class CachedCases(CacheDataset):
    """MONAI's cache of what comes before the first random transform, in memory or in a folder.

    Args:
        data: One dictionary a case.
        transform: The chain.
        cache_dir: Folder of the cache (:class:`pipeline.training.MappedItems`); `None` keeps cases in memory.
        cache_gb: Gigabytes that the folder may take.
        cache_rate: Share of the cases that are kept.
        cache_workers: Threads that fill the cache.
        progress: Whether a bar shows the filling.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Compose,
        *,
        cache_dir: str | Path | None = None,
        cache_gb: float = 50.0,
        cache_rate: float = 1.0,
        cache_workers: int = 2,
        progress: bool = False,
    ) -> None:
        self.items = None if cache_dir is None else MappedItems(cache_dir, cache_gb)
        first_random = transform.get_index_of_first(_is_random)  # type: ignore[no-untyped-call]
        self._steps = [described(step) for step in transform.transforms[:first_random]]
        # Transforms make new tensors: a copy of the whole case for each patch would only cost time.
        super().__init__(
            data, transform, cache_rate=cache_rate, num_workers=cache_workers, progress=progress, copy_cache=False
        )

    def _fill_cache(self, indices: Sequence[int] | None = None) -> Any:
        filled = super()._fill_cache(indices)
        return filled if self.items is None else _Opened(self, filled)

    def _load_cache_item(self, idx: int) -> Any:
        if self.items is None:
            return super()._load_cache_item(idx)
        key = item_key(self.data[idx], self._steps)
        if not self.items.has(key):
            make = super()._load_cache_item
            self.items.renew(key, lambda: dict(make(idx)))
        return key

    def open(self, index: int, key: str) -> dict[str, Any]:
        """The preprocessed case of an index, memory-mapped; made anew where its file is gone."""
        make = super()._load_cache_item
        items = self.items
        return dict(make(index)) if items is None else items.get(key, lambda: make(index))


class _Opened(list[str]):
    """Keys of cached cases that are opened when they are asked for."""

    def __init__(self, cases: CachedCases, keys: Sequence[str]) -> None:
        super().__init__(keys)
        self.cases = cases

    def __getitem__(self, index: Any) -> Any:
        return self.cases.open(int(index), super().__getitem__(index))


def _is_random(step: Any) -> bool:
    return isinstance(step, RandomizableTrait) or not isinstance(step, Transform)

"""One slice of a data list, from its file to the network's input."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from monai.config import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms import MapTransform

from transforms.reading.allowances import check_allowances
from transforms.slices.slice_input import SliceInput
from transforms.slices.stack import SliceStack, read_stack


class LoadSliced(MapTransform):
    """Loads one slice in place of its path: `(channels, rows, columns)` as a :class:`SliceInput` has it.

    A path is a picture, or a volume together with the item's `slice`: the index along the volume's own axial axis.
    The last volume stays in memory, for its slices follow one another in a data list.

    Args:
        keys: Keys of paths.
        slice_input: What the network is given.
        allow: What the reader would otherwise refuse.

    Raises:
        CTError: One of the family for every input that cannot be read or trusted.
    """

    def __init__(
        self, keys: KeysCollection, slice_input: SliceInput | Mapping[str, Any], *, allow: Sequence[str] = ()
    ) -> None:
        super().__init__(keys)
        self.slice_input = SliceInput.of(slice_input)
        self.allow = sorted(check_allowances(allow))
        self._last: tuple[str, SliceStack] | None = None
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        # Worker processes get no volume and a lock of their own.
        return {name: value for name, value in self.__dict__.items() if name not in ("_last", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _last=None, _lock=threading.Lock())

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with slices in place of paths."""
        loaded = dict(data)
        for key in self.key_iterator(loaded):
            stack = self._stack(str(data[key]))
            position = stack.position(int(data.get("slice", 0)))
            image, box = self.slice_input(stack.slab(position, self.slice_input.slices))
            meta = {"filename_or_obj": str(data[key]), "findings": "; ".join(stack.findings), "box": list(box)}
            loaded[key] = MetaTensor(image, meta=meta)
        return loaded

    def _stack(self, path: str) -> SliceStack:
        with self._lock:
            if self._last is None or self._last[0] != path:
                stack = read_stack(path, image_window=self.slice_input.image_window, allow=self.allow)
                self._last = (path, stack)
            return self._last[1]

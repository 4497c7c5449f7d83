"""Stacks of slices as MONAI transforms."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform

from transforms.reading.allowances import check_allowances
from transforms.stacks.masks import read_mask_stack
from transforms.stacks.read import read_image_stack
from transforms.stacks.settings import StackSettings

Settings = StackSettings | Mapping[str, Any]


class LoadStackd(MapTransform):
    """Loads slices as one volume `(C, X, Y, Z)` in place of their path; see :func:`transforms.stacks.read_image_stack`.

    An item's `slices`, first and the one after the last, say which of a stack are meant.

    Args:
        keys: The path's key, one.
        settings: :class:`transforms.stacks.StackSettings`.
        native_key: Where the volume as read stays; `None` leaves it out.
        series_uid: The DICOM series to read; the item's own comes first.
        allow: What the reader would otherwise refuse.
    """

    def __init__(
        self,
        keys: KeysCollection,
        settings: Settings,
        *,
        native_key: str | None = None,
        series_uid: str | None = None,
        allow: Sequence[str] = (),
    ) -> None:
        super().__init__(keys)
        self.settings = StackSettings.of(settings)
        self.native_key = native_key
        self.series_uid = series_uid
        self.allow = sorted(check_allowances(allow))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with a volume in place of the path."""
        loaded = dict(data)
        image, native = read_image_stack(
            data[self.keys[0]],
            self.settings,
            part=part_of(data),
            series_uid=data.get("series_uid") or self.series_uid,
            allow=self.allow,
        )
        loaded[self.keys[0]] = image
        if self.native_key is not None:
            loaded[self.native_key] = native
        return loaded


class LoadStackMaskd(MapTransform):
    """Loads the masks of a stack as a label map in place of their path; see :func:`transforms.stacks.read_mask_stack`.

    Args:
        keys: The path's key, one.
        settings: :class:`transforms.stacks.StackSettings`.
        allowed: The values that classes have.
        image_key: The stack, loaded before.
    """

    def __init__(
        self,
        keys: KeysCollection,
        settings: Settings,
        *,
        allowed: Sequence[int] | None = None,
        image_key: str = "image",
    ) -> None:
        super().__init__(keys)
        self.settings = StackSettings.of(settings)
        self.allowed = allowed
        self.image_key = image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with a label map in place of the path."""
        image_path = data[self.image_key].meta["filename_or_obj"]
        labels = read_mask_stack(
            data[self.keys[0]], image_path, self.settings, part=part_of(data), allowed=self.allowed
        )
        return {**data, self.keys[0]: labels}


def part_of(item: Mapping[Any, Any]) -> tuple[int, int] | None:
    """The slices that an item stands for; `None` for all."""
    part = item.get("slices")
    return None if part is None else (int(part[0]), int(part[1]))

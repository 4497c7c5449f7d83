"""Volumes with a label as a whole, or with labels of their slices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transforms.file_kinds import is_image


@dataclass(frozen=True, kw_only=True)
class LabelledVolume:
    """What is known of one volume.

    Attributes:
        case: Its name.
        image: Its path.
        patient: Whose it is, where that is known.
        whole: The class of the volume; of its slices that are not named, where some are.
        of_slice: Slice index to class.
    """

    case: str
    image: str
    patient: str | None
    whole: int
    of_slice: Mapping[int, int]

    def target(self, index: int) -> int:
        """The class that a slice is searched for; 0, the first one, is nothing to search for."""
        return self.of_slice.get(index, self.whole)

    @property
    def has_finding(self) -> bool:
        """Whether any slice may show a class but the first."""
        return self.whole > 0 or any(self.of_slice.values())


def labelled_volumes(items: Sequence[Mapping[str, Any]]) -> list[LabelledVolume]:
    """The volumes of a data list, in its order; pictures are passed over.

    Args:
        items: As :func:`pipeline.datasets.slices.load_slice_datalist` has them: a volume, or some of its slices. Slices
            that are not named may show the class that most of the named ones have, the first class aside.
    """
    of_image: dict[str, list[Mapping[str, Any]]] = {}
    for item in items:
        if not is_image(item["image"]):
            of_image.setdefault(str(item["image"]), []).append(item)
    return [_volume(image, found) for image, found in of_image.items()]


def _volume(image: str, items: Sequence[Mapping[str, Any]]) -> LabelledVolume:
    of_slice = {int(item["slice"]): int(item["label"]) for item in items if "slice" in item}
    whole = [int(item["label"]) for item in items if "slice" not in item]
    usual = Counter(label for label in of_slice.values() if label).most_common(1)
    group = str(items[0]["group"])
    return LabelledVolume(
        case=str(items[0]["case"]),
        image=image,
        patient=None if group == image else group,
        whole=whole[0] if whole else usual[0][0] if usual else 0,
        of_slice=of_slice,
    )

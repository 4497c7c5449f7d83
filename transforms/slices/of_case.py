"""All slices of a case that a classifier looks at."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms import MapTransform
from numpy.typing import NDArray

from transforms.errors import IntensityError
from transforms.grids import RegionOfInterestd
from transforms.reading.allowances import check_allowances
from transforms.slices.slice_input import SliceInput
from transforms.slices.stack import SliceStack, read_stack

MIN_LUNG_CM2 = 10.0
"""Area of lung from which a slice counts as one that shows lung."""


class SlicesOfCased(MapTransform):
    """Loads a picture or a volume as the inputs of a classifier, one for each slice that shows lung.

    A picture is taken to show lung. The path gives way to a `MetaTensor` `(N, channels, rows, columns)`; beside it the
    dictionary gets `stack` (the :class:`SliceStack`), `slices` (for each input its slice's index along the volume's
    own axial axis), `boxes` (the part of the slice that it shows) and `depth` (how many slices the case has).

    Args:
        keys: The path's key, one.
        slice_input: What the network is given.
        series_uid: The DICOM series to read; the item's own `series_uid` comes first.
        allow: What the reader would otherwise refuse.

    Raises:
        IntensityError: When a volume shows no lung.
        CTError: One of the family for every input that cannot be read or trusted.
    """

    def __init__(
        self,
        keys: KeysCollection,
        slice_input: SliceInput | Mapping[str, Any],
        *,
        series_uid: str | None = None,
        allow: Sequence[str] = (),
    ) -> None:
        super().__init__(keys)
        self.slice_input = SliceInput.of(slice_input)
        self.series_uid = series_uid
        self.allow = sorted(check_allowances(allow))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns the dictionary with the network's inputs in place of the path."""
        loaded = dict(data)
        key = self.first_key(loaded)
        stack = read_stack(
            str(data[key]),
            image_window=self.slice_input.image_window,
            series_uid=data.get("series_uid") or self.series_uid,
            allow=self.allow,
        )
        slices = lung_slices(stack)
        inputs, boxes = [], []
        for index in slices:
            image, box = self.slice_input(stack.slab(stack.position(index), self.slice_input.slices))
            inputs.append(image)
            boxes.append(box)
        meta = {} if stack.volume is None else dict(stack.volume.meta)
        meta |= {"filename_or_obj": stack.path, "findings": list(stack.findings)}
        loaded[key] = MetaTensor(torch.stack(inputs), meta=meta)
        return loaded | {"stack": stack, "slices": slices, "boxes": boxes, "depth": len(stack)}


def lung_slices(stack: SliceStack) -> list[int]:
    """The slices that show lung, as indices along the volume's own axial axis, in ascending order.

    Raises:
        IntensityError: When none does.
    """
    if stack.volume is None:
        return [0]
    lungs = RegionOfInterestd("image", "lungs", lungs_key="lungs")({"image": stack.volume})["lungs"]
    areas = _areas_cm2(stack.volume, lungs)
    found = np.flatnonzero(areas >= MIN_LUNG_CM2).tolist()
    if not found:
        raise IntensityError(
            "no lungs are found in the volume", where=stack.path,
            remedy="Give a chest CT in HU; `ctvol inspect --values` says what the values look like",
        )  # fmt: skip
    return [int(index) for index in found]


def _areas_cm2(volume: MetaTensor, lungs: MetaTensor) -> NDArray[np.float64]:
    """Area of lung at each slice of the volume's own axial axis, at the slice's centre."""
    affine, coarse = np.asarray(volume.affine), np.asarray(lungs.affine)
    axis = int(np.argmax(np.abs(affine[2, :3]) / np.linalg.norm(affine[:3, :3], axis=0)))
    centre = (np.array(volume.shape[1:]) - 1) / 2
    points = np.repeat(np.append(centre, 1.0)[:, None], volume.shape[1 + axis], axis=1)
    points[axis] = np.arange(volume.shape[1 + axis])
    heights = np.linalg.solve(coarse, affine @ points)[2]
    counts = (lungs.as_subclass(torch.Tensor)[0] > 0).sum(dim=(0, 1)).numpy()
    pixel_cm2 = float(np.linalg.norm(coarse[:3, 0]) * np.linalg.norm(coarse[:3, 1])) / 100
    nearest = np.clip(np.rint(heights).astype(int), 0, counts.size - 1)
    return np.asarray(counts[nearest] * pixel_cm2, dtype=np.float64)

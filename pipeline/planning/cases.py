"""What the cases of a data set are like: grid, classes, density of the foreground, place of the lungs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor
from monai.transforms import Orientation, generate_spatial_bounding_box, get_largest_connected_component_mask
from numpy.typing import NDArray

from pipeline.datasets.intensities import Tally
from transforms.errors import CTError, LabelError
from transforms.grids import Grid, RegionOfInterestd
from transforms.reading import check_same_grid, read_ct, read_label_map

Triple = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class CaseFacts:
    """A case that can be trained on; axes are those of RAS.

    Attributes:
        case: Its name.
        spacing_mm: Distance of neighbouring voxels along left-right, back-front, feet-head.
        size_mm: Extent of the volume along the same axes.
        lesion_mm: Diameter of a ball as large as the smallest class that is there; None without foreground.
        class_ml: Label value to volume, of the values that are there but 0.
        foreground: HU of the voxels whose label is above 0.
        lungs_hold: Share of the foreground in the box around the lungs; None where no lungs were found.
        lungs_mm: Extent of that box.
        body_mm: Extent of the box around the body; None where none was found.
        margins: Voxels between the foreground and each side of the volume: three low ones, three high ones; None
            without foreground.
        largest: Label value to the share of its largest component in its voxels.
    """

    case: str
    spacing_mm: Triple
    size_mm: Triple
    lesion_mm: float | None
    class_ml: Mapping[int, float]
    foreground: Tally
    lungs_hold: float | None
    lungs_mm: Triple | None
    body_mm: Triple | None
    margins: tuple[int, ...] | None = None
    largest: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A case that cannot be trained on.

    Attributes:
        case: Its name.
        reason: What is wrong with it.
    """

    case: str
    reason: str


def look_at(item: Mapping[str, str], *, classes: Mapping[str, int] | None, margin_mm: float) -> CaseFacts | Fault:
    """Looks at one case.

    Args:
        item: Of a data list: `case`, `image`, `label`.
        classes: Class name to value; other values are a fault. `None` takes whatever is there.
        margin_mm: Around the region of interest.
    """
    try:
        image = read_ct(item["image"]).to_metatensor(None)
        label = read_label_map(item["label"], allowed=None if classes is None else sorted({0, *classes.values()}))
        check_same_grid(image, label)
        return _facts(item["case"], image, label, margin_mm)
    except CTError as error:
        return Fault(case=item["case"], reason=str(error))


def _facts(case: str, image: MetaTensor, label: MetaTensor, margin_mm: float) -> CaseFacts:
    grid = Grid.of(image).oriented("RAS")
    labels, hu = (volume.as_subclass(torch.Tensor)[0].numpy() for volume in (label, image))
    counts = np.bincount(labels.ravel(order="K"), minlength=256)
    if counts[1:].sum() == 0 and counts[0] == 0:
        raise LabelError("the label map is empty")
    voxel_ml = float(np.prod(grid.spacing_mm)) / 1000
    class_ml = {int(value): float(counts[value] * voxel_ml) for value in np.flatnonzero(counts) if value}
    lungs, lungs_hold = _region(image, label, "lungs", margin_mm)
    body, _ = _region(image, label, "body", margin_mm)
    return CaseFacts(
        case=case,
        spacing_mm=_triple(grid.spacing_mm),
        size_mm=_triple(grid.spacing_mm * grid.shape),
        lesion_mm=None if not class_ml else float((6000 * min(class_ml.values()) / np.pi) ** (1 / 3)),
        class_ml=class_ml,
        foreground=_foreground(hu, labels),
        lungs_hold=lungs_hold,
        lungs_mm=lungs,
        body_mm=body,
        margins=_margins(label) if class_ml else None,
        largest={value: _largest_share(labels == value) for value in class_ml},
    )


def _largest_share(mask: NDArray[np.bool_]) -> float:
    box = tuple(slice(*ends) for ends in zip(*generate_spatial_bounding_box(mask[None]), strict=True))
    part = mask[box]
    return float(get_largest_connected_component_mask(part).sum() / part.sum())


def _margins(label: MetaTensor) -> tuple[int, ...]:
    turned = Orientation(axcodes="RAS", labels=None)(label)
    low, high = generate_spatial_bounding_box(turned)
    after = (size - end for size, end in zip(turned.shape[1:], high, strict=True))
    return tuple(int(margin) for margin in (*low, *after))


def _region(image: MetaTensor, label: MetaTensor, region: str, margin_mm: float) -> tuple[Triple | None, float | None]:
    """The extent of a region's box and the share of the foreground in it; None where there is no such region."""
    crop = RegionOfInterestd(["image", "label"], region, margin_mm=margin_mm, lungs_key=None)  # type: ignore[arg-type]
    cropped = crop({"image": image, "label": label})
    if cropped["image"].meta["region"] != region:
        return None, None
    grid = Grid.of(cropped["image"]).oriented("RAS")
    whole, kept = (int((one.as_subclass(torch.Tensor) > 0).sum()) for one in (label, cropped["label"]))
    return _triple(grid.spacing_mm * grid.shape), kept / whole if whole else 1.0


def _foreground(hu: NDArray[np.float32], labels: NDArray[np.uint8]) -> Tally:
    tally = Tally()
    for index in range(hu.shape[2]):
        tally.add(hu[:, :, index][labels[:, :, index] > 0].astype(np.float64))
    return tally


def _triple(values: NDArray[np.float64]) -> Triple:
    x, y, z = (float(value) for value in values)
    return x, y, z

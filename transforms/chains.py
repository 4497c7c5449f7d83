"""The named chains of transforms that bundles use: one way of a volume for training, validation and inference.

Settings that two chains share come from one mapping, so that what a network is trained on is what it is given later::

    chain = inference_chain(region="lungs", spacing_mm=(1.5, 1.5, 1.5), windows=("lesion",))
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from monai.transforms import (
    ClassesToIndicesd,
    Compose,
    MapLabelValued,
    RandAdjustContrastd,
    RandFlipd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandScaleIntensityd,
    RandShiftIntensityd,
)

from transforms.augmentation import DeformationRanges, RandAffineElasticd
from transforms.components import RemoveSmallComponentsd
from transforms.grids import RegionOfInterestd, RestoreLabelMapd, ToNetworkGridd
from transforms.grids.region import Region
from transforms.grids.resampling import Mode
from transforms.grids.restoring import Activation
from transforms.hu_windows import HUWindowsd
from transforms.native import KeepNatived
from transforms.reading import CheckSameGridd, LoadCTd, LoadLabelMapd
from transforms.slabs import ToSlabd

Step = Callable[[Mapping[Hashable, Any]], Mapping[Hashable, Any]]
Merge = Sequence[Sequence[int]] | None

INDICES_PER_CLASS = 4096
"""Places of each class that are remembered for balanced patches; more would only cost memory."""


def inference_chain(
    *,
    spacing_mm: Sequence[float | None],
    windows: Sequence[Any] = ("lesion",),
    scaling: Mapping[str, Any] | None = None,
    region: Region = "lungs",
    margin_mm: float = 20.0,
    orientation: str = "RAS",
    series_uid: str | None = None,
    allow: Sequence[str] = (),
) -> Compose:
    """From a path under `image` to the volume on the network grid, windowed and scaled.

    The volume as read stays under `native` (no copy), the coarse lung mask under `lungs`.

    Args:
        spacing_mm: Of the network grid; `None` keeps the input's along that axis.
        windows: HU windows, each one channel (:class:`transforms.HUWindowsd`).
        scaling: `scaling`, `mean` and `std` of :class:`transforms.HUWindowsd`.
        region: What is searched: `lungs`, `body` or `all`.
        margin_mm: Around the region of interest.
        orientation: Axis codes of the network grid.
        series_uid: The DICOM series to read where a study holds several.
        allow: What the reader would otherwise refuse.
    """
    return Compose(
        [
            LoadCTd("image", dtype=None, series_uid=series_uid, allow=allow),
            KeepNatived("image", "native"),
            *_to_network(["image"], spacing_mm, windows, scaling, region, margin_mm, orientation, lungs_key="lungs"),
        ]
    )


def validation_chain(
    *,
    spacing_mm: Sequence[float | None],
    classes: Mapping[str, int],
    windows: Sequence[Any] = ("lesion",),
    scaling: Mapping[str, Any] | None = None,
    region: Region = "lungs",
    margin_mm: float = 20.0,
    orientation: str = "RAS",
    merge: Merge = None,
    allow: Sequence[str] = (),
) -> Compose:
    """From paths under `image` and `label` to both on the network grid, without chance.

    Args:
        spacing_mm: See :func:`inference_chain`.
        classes: Class name to value; label maps with other values are refused.
        windows: See :func:`inference_chain`.
        scaling: See :func:`inference_chain`.
        region: See :func:`inference_chain`.
        margin_mm: See :func:`inference_chain`.
        orientation: See :func:`inference_chain`.
        merge: For each class the values of the label maps that count as it; `None` where they are the classes' own.
        allow: What the reader would otherwise refuse.
    """
    return Compose(
        [
            *_load_pair(classes, merge, allow),
            *_to_network(
                ["image", "label"], spacing_mm, windows, scaling, region, margin_mm, orientation, lungs_key=None
            ),
        ]
    )


def evaluation_chain(
    *,
    spacing_mm: Sequence[float | None],
    classes: Mapping[str, int],
    windows: Sequence[Any] = ("lesion",),
    scaling: Mapping[str, Any] | None = None,
    region: Region = "lungs",
    margin_mm: float = 20.0,
    orientation: str = "RAS",
    merge: Merge = None,
    allow: Sequence[str] = (),
) -> Compose:
    """From paths under `image` and `label` to the image as for inference, and the label map on the native grid.

    Args:
        spacing_mm: See :func:`inference_chain`.
        classes: See :func:`validation_chain`.
        windows: See :func:`inference_chain`.
        scaling: See :func:`inference_chain`.
        region: See :func:`inference_chain`.
        margin_mm: See :func:`inference_chain`.
        orientation: See :func:`inference_chain`.
        merge: See :func:`validation_chain`.
        allow: What the reader would otherwise refuse.
    """
    return Compose(
        [
            *_load_pair(classes, merge, allow),
            KeepNatived("image", "native"),
            *_to_network(["image"], spacing_mm, windows, scaling, region, margin_mm, orientation, lungs_key=None),
        ]
    )


def training_chain(
    *,
    spacing_mm: Sequence[float | None],
    classes: Mapping[str, int],
    patch_size: Sequence[int],
    windows: Sequence[Any] = ("lesion",),
    scaling: Mapping[str, Any] | None = None,
    region: Region = "lungs",
    margin_mm: float = 20.0,
    orientation: str = "RAS",
    merge: Merge = None,
    allow: Sequence[str] = (),
    slices: int | None = None,
    deformation: Mapping[str, Any] | None = None,
    deformation_prob: float = 0.8,
    foreground: float = 0.7,
    flip_axes: Sequence[int] = (0, 1, 2),
    intensity: bool = True,
) -> Compose:
    """From paths to one random training patch; everything before the patch can be cached.

    Args:
        spacing_mm: See :func:`inference_chain`.
        classes: See :func:`validation_chain`.
        patch_size: Voxels of the patch; in 2.5D the in-plane size, the slab's slices are appended.
        windows: See :func:`inference_chain`.
        scaling: See :func:`inference_chain`.
        region: See :func:`inference_chain`.
        margin_mm: See :func:`inference_chain`.
        orientation: See :func:`inference_chain`.
        merge: See :func:`validation_chain`.
        allow: What the reader would otherwise refuse.
        slices: Slices of a slab for 2.5D, `None` for 3D.
        deformation: :class:`transforms.augmentation.DeformationRanges`; `None` leaves patches straight.
        deformation_prob: Share of patches that are deformed.
        foreground: Share of patches that are placed around a voxel of a class above 0, all classes alike.
        flip_axes: Axes that are mirrored at random.
        intensity: Whether contrast, brightness, sharpness and noise vary.
    """
    size = list(patch_size) if slices is None else [*patch_size[:2], slices]
    ranges = None if deformation is None else DeformationRanges(**{**deformation, "in_plane": slices is not None})
    axes = [axis for axis in flip_axes if slices is None or axis < 2]
    return Compose(
        [
            *validation_chain(
                spacing_mm=spacing_mm,
                classes=classes,
                windows=windows,
                scaling=scaling,
                region=region,
                margin_mm=margin_mm,
                orientation=orientation,
                merge=merge,
                allow=allow,
            ).transforms,
            ClassesToIndicesd("label", num_classes=len(classes), max_samples_per_class=INDICES_PER_CLASS),
            RandAffineElasticd(
                ["image", "label"],
                size,
                mode=["linear", "nearest"],
                ranges=ranges,
                prob=deformation_prob,
                foreground=foreground,
            ),
            *([ToSlabd("image", "label")] if slices is not None else []),
            *(RandFlipd(["image", "label"], prob=0.5, spatial_axis=axis) for axis in axes),
            *(_intensity() if intensity else []),
        ]
    )


def restoring_chain(
    *,
    classes: Mapping[str, int],
    activation: Activation = "softmax",
    merge: Merge = None,
    min_component_ml: float = 0.0,
) -> Compose:
    """From logits under `pred` to the label map on the native grid.

    Args:
        classes: Class name to value.
        activation: `softmax` or `sigmoid`.
        merge: Channels of the network that count as one class.
        min_component_ml: Components of a class under this volume are removed; 0 keeps all.
    """
    return Compose(
        [
            RestoreLabelMapd("pred", classes, activation=activation, merge=merge),
            RemoveSmallComponentsd("pred", min_component_ml),
        ]
    )


def _load_pair(classes: Mapping[str, int], merge: Merge, allow: Sequence[str]) -> list[Step]:
    values = sorted(classes.values())
    groups = [[value] for value in values] if merge is None else merge
    target = {old: new for new, group in zip(values, groups, strict=True) for old in group}
    return [
        LoadCTd("image", dtype=None, allow=allow),
        LoadLabelMapd("label", allowed=sorted(target)),
        CheckSameGridd(["image", "label"]),
        *([] if merge is None else [MapLabelValued("label", list(target), list(target.values()), dtype="uint8")]),
    ]


def _to_network(
    keys: list[str],
    spacing_mm: Sequence[float | None],
    windows: Sequence[Any],
    scaling: Mapping[str, Any] | None,
    region: Region,
    margin_mm: float,
    orientation: str,
    lungs_key: str | None,
) -> list[Step]:
    modes: list[Mode] = ["linear", "nearest"]
    return [
        RegionOfInterestd(keys, region, margin_mm=margin_mm, lungs_key=lungs_key),
        ToNetworkGridd(keys, spacing_mm, orientation=orientation, mode=modes[: len(keys)]),
        HUWindowsd("image", windows, **(scaling or {})),
    ]


def _intensity() -> list[Step]:
    return [
        RandScaleIntensityd("image", factors=0.15, prob=0.3),
        RandShiftIntensityd("image", offsets=0.05, prob=0.3),
        RandAdjustContrastd("image", gamma=(0.8, 1.25), prob=0.2),
        RandGaussianSmoothd("image", sigma_x=(0.3, 1.0), sigma_y=(0.3, 1.0), sigma_z=(0.3, 1.0), prob=0.15),
        RandGaussianNoised("image", std=0.03, prob=0.3),
    ]

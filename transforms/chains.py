"""The named chains of transforms that bundles use: one way of a volume for training, validation and inference.

What they share stands in one :class:`transforms.NetworkInput`::

    chain = inference_chain({"spacing_mm": (1.5, 1.5, 1.5), "region": "lungs"})
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai.transforms import (
    ClassesToIndicesd,
    Compose,
    MapLabelValued,
    RandFlipd,
)

from transforms.augmentation import (
    DeformationRanges,
    IntensityRanges,
    RandAffineElasticd,
    RandCutMarginsd,
    RandDeferredPatchd,
)
from transforms.augmentation.sampling import Mode
from transforms.classes import check_classes, class_values
from transforms.components import KeepLargestComponentsd, RemoveSmallComponentsd
from transforms.grids import RestoreLabelMapd
from transforms.grids.restoring import Activation
from transforms.native import KeepNatived
from transforms.network_input import NetworkInput, Step
from transforms.reading import CheckSameGridd, LoadCTd, LoadLabelMapd
from transforms.slabs import ToSlabd
from transforms.stacks import LoadStackd, LoadStackMaskd, StackSettings

Settings = NetworkInput | Mapping[str, Any]
Merge = Sequence[Sequence[int]] | None
Stack = StackSettings | Mapping[str, Any] | None

INDICES_PER_CLASS = 4096
"""Places of each class that are remembered for balanced patches; more would only cost memory."""


def inference_chain(
    network_input: Settings, *, series_uid: str | None = None, allow: Sequence[str] = (), stack: Stack = None
) -> Compose:
    """From a path under `image` to the network's input.

    The volume as read stays under `native` (no copy), the coarse lung mask under `lungs`.

    Args:
        network_input: What the network is given.
        series_uid: The DICOM series to read where a study holds several.
        allow: What the reader would otherwise refuse.
        stack: Reads arrays and pictures of slices too, see :class:`transforms.stacks.StackSettings`; `None` reads CT
            volumes alone.
    """
    load: list[Step]
    if stack is None:
        load = [LoadCTd("image", dtype=None, series_uid=series_uid, allow=allow), KeepNatived("image", "native")]
    else:
        load = [LoadStackd("image", stack, native_key="native", series_uid=series_uid, allow=allow)]
    return Compose(
        [
            *load,
            *NetworkInput.of(network_input).steps(lungs_key="lungs"),
        ]
    )


def validation_chain(
    network_input: Settings,
    *,
    classes: Mapping[str, int],
    merge: Merge = None,
    allow: Sequence[str] = (),
    stack: Stack = None,
) -> Compose:
    """From paths under `image` and `label` to both on the network grid, without chance.

    Args:
        network_input: What the network is given.
        classes: Class name to value; label maps with other values are refused.
        merge: For each class the values of the label maps that count as it; `None` where they are the classes' own.
        allow: What the reader would otherwise refuse.
        stack: See :func:`inference_chain`.
    """
    return Compose(
        [*_load_pair(classes, merge, allow, stack), *NetworkInput.of(network_input).steps(label_key="label")]
    )


def evaluation_chain(
    network_input: Settings,
    *,
    classes: Mapping[str, int],
    merge: Merge = None,
    allow: Sequence[str] = (),
    stack: Stack = None,
) -> Compose:
    """From paths under `image` and `label` to the image as for inference, and the label map on the native grid.

    Args:
        network_input: What the network is given.
        classes: See :func:`validation_chain`.
        merge: See :func:`validation_chain`.
        allow: What the reader would otherwise refuse.
        stack: See :func:`inference_chain`.
    """
    return Compose([*_load_pair(classes, merge, allow, stack), *NetworkInput.of(network_input).steps()])


def training_chain(
    network_input: Settings,
    *,
    classes: Mapping[str, int],
    patch_size: Sequence[int],
    merge: Merge = None,
    allow: Sequence[str] = (),
    slices: int | None = None,
    deformation: Mapping[str, Any] | None = None,
    deformation_prob: float = 0.8,
    foreground: float = 0.7,
    padding_value: float = 0.0,
    flip_axes: Sequence[int] = (0, 1, 2),
    intensity: bool = True,
    cut_margins: float = 0.0,
    stack: Stack = None,
    deferred: bool = False,
) -> Compose:
    """From paths to one random training patch; everything before the patch can be cached.

    Args:
        network_input: What the network is given.
        classes: See :func:`validation_chain`.
        patch_size: Voxels of the patch; in 2.5D the in-plane size, the slab's slices are appended.
        merge: See :func:`validation_chain`.
        allow: What the reader would otherwise refuse.
        slices: Slices of a slab for 2.5D, `None` for 3D.
        deformation: :class:`transforms.augmentation.DeformationRanges`; `None` leaves patches straight.
        deformation_prob: Share of patches that are deformed.
        foreground: Share of patches that are placed around a voxel of a class above 0, all classes alike.
        padding_value: What stands outside the volume, after scaling.
        flip_axes: Axes that are mirrored at random.
        intensity: Whether contrast, brightness, sharpness and noise vary.
        cut_margins: Share of patches that see a volume cut again at random, up to its labels: where volumes were
            cropped around what is looked for (:class:`transforms.RandCutMarginsd`).
        stack: See :func:`inference_chain`.
        deferred: Whether a patch is drawn here and sampled on the device where it is trained on
            (:class:`transforms.DeferredPatch`).
    """
    settings = NetworkInput.of(network_input)
    slab = slices is not None
    settings.check_slab(slices)
    size = [*patch_size[:2], slices] if slices is not None else list(patch_size)
    ranges = None if deformation is None else DeformationRanges.of({**deformation, "in_plane": slab})
    keys = ["image", "label", *settings.further_keys]
    linear: Mode = "linear"
    modes: list[Mode] = [linear, "nearest", *(linear for _ in settings.further_keys)]
    patch: dict[str, Any] = {
        "mode": modes,
        "ranges": ranges,
        "prob": deformation_prob,
        "foreground": foreground,
        "padding_value": padding_value,
    }
    flips = [axis for axis in flip_axes if axis < 2 or not slab]
    changes = IntensityRanges() if intensity else None
    steps: list[Step] = (
        [RandDeferredPatchd(keys, size, flip_axes=flips, intensity=changes, slab=slab, **patch)]
        if deferred
        else [
            RandAffineElasticd(keys, size, **patch),
            *([ToSlabd("image", "label")] if slab else []),
            *(RandFlipd(keys, prob=0.5, spatial_axis=axis) for axis in flips),
            *([] if changes is None else changes.transforms("image")),
            *settings.join_steps(),
        ]
    )
    return Compose(
        [
            *_load_pair(classes, merge, allow, stack),
            *settings.grid_steps(label_key="label"),
            *([RandCutMarginsd(["image", "label"], "label", prob=cut_margins)] if cut_margins else []),
            ClassesToIndicesd("label", num_classes=len(classes), max_samples_per_class=INDICES_PER_CLASS),
            *settings.field_steps(),
            *steps,
        ]
    )


def restoring_chain(
    *,
    classes: Mapping[str, int],
    activation: Activation = "softmax",
    merge: Merge = None,
    min_component_ml: float = 0.0,
    keep_largest: Sequence[str] = (),
    probabilities: bool = False,
) -> Compose:
    """From logits under `pred` to the label map on the native grid.

    Args:
        classes: Class name to value.
        activation: `softmax` or `sigmoid`.
        merge: Channels of the network that count as one class.
        min_component_ml: Components of a class under this volume are removed; 0 keeps all.
        keep_largest: Names of classes of which the largest component alone stays.
        probabilities: Whether those of the classes stay under `probabilities`, on the network grid in half precision.

    Raises:
        SettingError: When a setting cannot be used.
    """
    return Compose(
        [
            RestoreLabelMapd(
                "pred",
                check_classes(classes),
                activation=activation,
                merge=merge,
                probabilities_key="probabilities" if probabilities else None,
            ),
            RemoveSmallComponentsd("pred", min_component_ml),
            KeepLargestComponentsd("pred", class_values(keep_largest, classes, where="keep_largest")),
        ]
    )


def _load_pair(classes: Mapping[str, int], merge: Merge, allow: Sequence[str], stack: Stack) -> list[Step]:
    values = sorted(check_classes(classes).values())
    groups = [[value] for value in values] if merge is None else merge
    target = {old: new for new, group in zip(values, groups, strict=True) for old in group}
    allowed = sorted(target)
    load: list[Step]
    if stack is None:
        load = [LoadCTd("image", dtype=None, allow=allow), LoadLabelMapd("label", allowed=allowed)]
    else:
        load = [LoadStackd("image", stack, allow=allow), LoadStackMaskd("label", stack, allowed=allowed)]
    return [
        *load,
        CheckSameGridd(["image", "label"]),
        *([] if merge is None else [MapLabelValued("label", list(target), list(target.values()), dtype="uint8")]),
    ]

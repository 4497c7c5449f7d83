"""How to train, from what the cases are like; the ideas are those of nnU-Net's planner (Isensee et al. 2021)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch import nn

from pipeline.planning.cases import CaseFacts, Triple
from pipeline.planning.cropping import EVEN_SIDES, cropping_of
from pipeline.planning.memory import Budget, training_bytes
from transforms.errors import DataListError

ANISOTROPIC = 3.0
"""An axis with this many times the spacing of the finest one is thick; its slices differ, so the finer ones count."""

MOST_PATCHES = 27
"""A volume of more patches than this gives a patch too little of its surroundings: the grid is made coarser."""

SHORT_MINUTES = 120
"""A training shorter than this learns more from whole volumes on a coarse grid than from their parts."""

SHORT_PATCH_VOXELS = 64**3
"""Voxels of such a patch."""

LESION_VOXELS = 6.0
"""But only as long as a lesion of the usual size is this many voxels across."""

HELD = 0.999
"""Share of every case's foreground that must lie in a region."""

WORTH = 0.9
"""A region that leaves more than this of the volume is not worth looking for."""

STEP = 16
"""Sizes of patches are multiples of it: the network halves them four times."""

CUT_SHARE = 0.6
"""Share of training patches of volumes that are cut again."""

ENDLESS = 100_000
"""Epochs, where minutes end the training."""

WHOLE = 0.98
"""Share of a class's voxels in its largest component from which on a case has one of it; the rest are specks."""

FEWEST_CASES = 5
"""With fewer, that each has one of a class may be chance."""

LEAST_BATCH = 2
"""Patches a step, where memory allows."""

_FINEST_MM = 0.5


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to train.

    Attributes:
        values: Config key to value.
        reasons: Config key to why.
    """

    values: Mapping[str, Any]
    reasons: Mapping[str, str] = field(default_factory=dict)


def make_plan(
    cases: Sequence[CaseFacts],
    classes: Mapping[str, int],
    budget: Budget,
    network: nn.Module,
    margin_mm: float,
    minutes: float | None = None,
) -> Plan:
    """Decides.

    Args:
        cases: Training cases without faults.
        classes: Class name to value.
        budget: What a training step may take.
        network: On the `meta` device, with one channel in; its classes are those of the plan.
        margin_mm: Around the region of interest.
        minutes: How long training may take; `None` for as long as it needs.

    Raises:
        DataListError: When there is no case, or not one voxel of foreground.
    """
    if not any(case.class_ml for case in cases):
        raise DataListError("there is no foreground to plan for", found=f"{len(cases)} cases without faults")
    region, region_reason = _region(cases)
    size_mm = _median([_extent(case, region) for case in cases])
    short = minutes is not None and minutes < SHORT_MINUTES
    if short:
        budget = replace(budget, patch_voxels=min(budget.patch_voxels, SHORT_PATCH_VOXELS))
    spacing, spacing_reason = _spacing(cases, size_mm, budget.patch_voxels, 1 if short else MOST_PATCHES)
    patch, patch_reason = _patch(size_mm, spacing, budget, network)
    batch, batch_reason = _batch(cases, spacing, patch, budget, network)
    windows, windows_reason = _windows(cases)
    values = {
        "classes": dict(classes), "region": region, "margin_mm": margin_mm, "spacing_mm": list(spacing),
        "windows": windows, "patch_size": list(patch), "train_batch_size": batch,
    }  # fmt: skip
    reasons = {
        "region": region_reason, "spacing_mm": spacing_reason,
        "windows": windows_reason, "patch_size": patch_reason, "train_batch_size": batch_reason,
    }  # fmt: skip
    if minutes is not None:
        values |= {"max_minutes": minutes, "max_epochs": ENDLESS}
        reasons["max_minutes"] = "as asked; the schedule of the learning rate is fitted to it"
    for found, why in (_cropped(cases), _single(cases, classes)):
        values |= found
        reasons |= why
    return Plan(values=values, reasons=reasons)


def _cropped(cases: Sequence[CaseFacts]) -> tuple[dict[str, Any], dict[str, str]]:
    """What is set, and why, where volumes end as their foreground wants it."""
    cropping = cropping_of(cases)
    if cropping is None:
        return {}, {}
    values: dict[str, Any] = {"field_of_view": True, "cut_margins": CUT_SHARE}
    reasons = {
        "field_of_view": f"volumes end {_times(cropping.voxels, 0)} voxels beyond their foreground, none later: they "
        "were cropped around it, which tells its place; the network is shown where volumes end, and volumes are cut "
        "again at random in training"
    }
    if cropping.margin_mm is not None:
        values["place_margin_mm"] = cropping.margin_mm
        reasons["place_margin_mm"] = (
            f"on {EVEN_SIDES} sides or more of every case that is {cropping.margin_mm:.0f} mm: the foreground lies in "
            "the middle, and the network is shown where that is. WARNING: images that are to be segmented must be "
            "cropped likewise; for others make this null and train without it"
        )
    return values, reasons


def _single(cases: Sequence[CaseFacts], classes: Mapping[str, int]) -> tuple[dict[str, Any], dict[str, str]]:
    """The classes that every case has one of, as nnU-Net keeps the largest component of a class."""
    shares = {name: [case.largest[value] for case in cases if value in case.largest] for name, value in classes.items()}
    names = [name for name, own in shares.items() if len(own) >= FEWEST_CASES and min(own) >= WHOLE]
    if not names:
        return {}, {}
    fewest, least = (min(measure(shares[name]) for name in names) for measure in (len, min))
    reason = (
        f"each of {fewest} cases or more has one of them: its largest component holds {100 * least:.1f} % of the class "
        "or more. In results the largest alone stays; [] keeps all"
    )
    return {"keep_largest": names}, {"keep_largest": reason}


def _region(cases: Sequence[CaseFacts]) -> tuple[str, str]:
    with_lungs = [case for case in cases if case.lungs_hold is not None]
    least = min((case.lungs_hold or 0.0 for case in with_lungs), default=0.0)
    if len(with_lungs) == len(cases) and least >= HELD:
        return "lungs", f"lungs were found in all {len(cases)} cases, with all of the foreground in their box"
    lungs = f"lungs were found in {len(with_lungs)} of {len(cases)} cases" + (
        f", down to {100 * least:.1f} % of the foreground in their box" if with_lungs else ""
    )
    left = np.median([np.prod(case.body_mm or case.size_mm) / np.prod(case.size_mm) for case in cases])
    if left <= WORTH and all(case.body_mm for case in cases):
        return "body", f"{lungs}; the box of the body is {100 * left:.0f} % of the volume"
    return "all", f"{lungs}; the body fills {100 * left:.0f} % of the volume, so that a search for it gains nothing"


def _extent(case: CaseFacts, region: str) -> Triple:
    return {"lungs": case.lungs_mm, "body": case.body_mm}.get(region) or case.size_mm


def _spacing(cases: Sequence[CaseFacts], size_mm: Triple, patch_voxels: int, most_patches: int) -> tuple[Triple, str]:
    spacings = np.array([case.spacing_mm for case in cases])
    spacing = np.maximum(np.median(spacings, axis=0), _FINEST_MM)
    reason = f"the median of {len(cases)} cases ({_times(spacing)} mm; {_range(spacings)})"
    thick = int(np.argmax(spacing))
    if spacing[thick] >= ANISOTROPIC * spacing.min():
        finer = float(np.percentile(spacings[:, thick], 10))
        if finer < spacing[thick]:
            spacing[thick] = max(finer, spacing.min())
            reason += f"; along the thick axis the 10th percentile, {finer:.3g} mm"
    lesion = float(np.median([case.lesion_mm for case in cases if case.lesion_mm]))
    largest = lesion / LESION_VOXELS
    voxels = np.prod(np.divide(size_mm, spacing))
    if voxels > most_patches * patch_voxels and largest > spacing.min():
        coarser = _coarser(spacing, size_mm, most_patches * patch_voxels, largest)
        if not np.allclose(coarser, spacing):
            spacing = coarser
            reason += (
                f"; made coarser, for the median volume had {voxels / patch_voxels:.0f} patches, more than "
                f"{most_patches}; {lesion:.0f} mm, what the smallest class is across in the median case, are still "
                f"{LESION_VOXELS:.0f} voxels or more"
            )
    x, y, z = (round(float(step), 3) for step in spacing)
    return (x, y, z), reason


def _coarser(spacing: Any, size_mm: Triple, voxels: float, largest: float) -> Any:
    """The finest axes first, until the volume has few enough voxels or a lesion would lose its shape."""
    low, high = float(spacing.min()), max(float(spacing.min()), largest)
    for step in np.linspace(low, high, 200):
        found = np.maximum(spacing, step)
        if np.prod(np.divide(size_mm, found)) <= voxels:
            return found
    return np.maximum(spacing, high)


def _patch(size_mm: Triple, spacing: Triple, budget: Budget, network: nn.Module) -> tuple[tuple[int, ...], str]:
    shape = np.ceil(np.divide(size_mm, spacing))
    whole = [STEP * math.ceil(voxels / STEP) for voxels in shape]
    patch = list(whole)
    while np.prod(patch) > budget.patch_voxels or training_bytes(network, 1, patch, 1) > budget.bytes:
        # The axis of which the patch covers most gives way, so that the patch has the proportions of the volume.
        long = [axis for axis in range(3) if patch[axis] > STEP]
        axis = max(long, key=lambda one: (patch[one] / shape[one], -one), default=None)
        if axis is None:
            break
        patch[axis] -= STEP
    reason = f"the proportions of the median volume ({_times(shape, 0)} voxels), multiples of {STEP}"
    if patch != whole:
        reason += f"; at most {budget.patch_voxels} voxels on {budget.device}"
    return tuple(patch), reason


def _batch(
    cases: Sequence[CaseFacts], spacing: Triple, patch: Sequence[int], budget: Budget, network: nn.Module
) -> tuple[int, str]:
    seen = float(np.sum([np.prod(np.divide(case.size_mm, spacing)) for case in cases]))
    batch = max(LEAST_BATCH, min(budget.batch, int(0.05 * seen / np.prod(patch))))
    while batch > 1 and training_bytes(network, 1, patch, batch) > budget.bytes:
        batch -= 1
    need = training_bytes(network, 1, patch, batch)
    return batch, (
        f"a step takes about {need / 1e9:.1f} GB of the {budget.bytes / 1e9:.1f} GB that may be used on "
        f"{budget.device} (at least {LEAST_BATCH} patches, at most {budget.batch} and 5 % of all voxels)"
    )


def _windows(cases: Sequence[CaseFacts]) -> tuple[list[dict[str, int]], str]:
    total = type(cases[0].foreground)()
    for case in cases:
        total.merge(case.foreground)
    low, middle, high = (total.percentile(percent) for percent in (0.5, 50.0, 99.5))
    window = {"low": 10 * math.floor(low / 10), "high": 10 * math.ceil(high / 10)}
    if window["high"] - window["low"] < 100:
        window = {"low": window["low"] - 50, "high": window["high"] + 50}
    return [window], f"0.5 % and 99.5 % of the foreground ({low} and {high} HU, median {middle}), to the next ten"


def _median(extents: Sequence[Triple]) -> Triple:
    x, y, z = (float(value) for value in np.median(np.array(extents), axis=0))
    return x, y, z


def _times(values: Any, digits: int = 2) -> str:
    return " x ".join(f"{value:.{digits}f}" for value in values)


def _range(spacings: Any) -> str:
    return f"from {_times(spacings.min(axis=0))} to {_times(spacings.max(axis=0))}"

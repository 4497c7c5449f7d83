"""Whether voxels that a network gives a probability of 0.8 are right eight times in ten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from monai.metrics.calibration import calibration_binning
from numpy.typing import NDArray

from transforms.errors import LabelError
from transforms.grids import Grid, resample

BINS = 10
"""Bins of equal width."""

SLAB_VOXELS = 2**21
"""Voxels that are binned at a time: single precision counts to 2²⁴."""


def calibration_errors(
    probabilities: torch.Tensor, grid: Grid, truth: torch.Tensor, truth_grid: Grid, classes: Mapping[str, int]
) -> dict[str, float]:
    """The expected calibration error of each class (Naeini et al. 2015), over all voxels of the probabilities' grid.

    For each class: the voxels are binned by its probability; the distance of each bin's mean probability from the
    share of voxels that are of the class, weighted by the bin's voxels. The truth is taken from the nearest voxel of
    the reference. Background weighs by its voxels, so that compare only what was measured on the same cases and grid.

    Args:
        probabilities: `(C, X, Y, Z)`: a channel a class in the order of their values; without that of the background
            where each channel answers for itself.
        grid: Of the probabilities.
        truth: Label map `(1, X, Y, Z)`.
        truth_grid: Its grid, with the same axes in any order and sense.
        classes: Class name to value; the background (0) is left out.

    Returns:
        Class name to error, 0 to 1.

    Raises:
        GeometryError: When the grids do not share their axes.
        LabelError: When the channels do not fit the classes.
    """
    channels = _channels(probabilities.shape[0], classes)
    there = resample(truth, truth_grid, grid, mode="nearest")[0]
    sums = {name: np.zeros((3, BINS)) for name in channels}
    thickness = max(1, SLAB_VOXELS // max(1, grid.shape[1] * grid.shape[2]))
    for start in range(0, grid.shape[0], thickness):
        slab = slice(start, start + thickness)
        for name, channel in channels.items():
            sums[name] += _sums(probabilities[channel, slab], there[slab] == classes[name])
    return {name: _expected_error(of_class) for name, of_class in sums.items()}


def _channels(count: int, classes: Mapping[str, int]) -> dict[str, int]:
    names: Sequence[str] = sorted((name for name, value in classes.items() if value), key=lambda name: classes[name])
    if count not in (len(names), len(names) + 1):
        raise LabelError(
            "the probabilities do not fit the classes",
            found=f"{count} channels",
            expected=f"{len(names) + 1}, one a class ({', '.join(classes)})",
            remedy="Name the classes of the bundle that they come from",
        )
    return {name: number + count - len(names) for number, name in enumerate(names)}


def _sums(probabilities: torch.Tensor, right: torch.Tensor) -> NDArray[np.float64]:
    """Of each bin the sum of probabilities, the number of right voxels, and the number of voxels."""
    means, shares, counts = calibration_binning(
        probabilities.as_subclass(torch.Tensor).float().reshape(1, 1, -1), right.reshape(1, 1, -1), num_bins=BINS
    )
    weights = counts[0, 0].double().numpy()
    return np.stack([np.nan_to_num(part[0, 0].double().numpy()) * weights for part in (means, shares)] + [weights])


def _expected_error(sums: NDArray[np.float64]) -> float:
    probability, right, voxels = sums
    return float(np.abs(probability - right).sum() / voxels.sum())

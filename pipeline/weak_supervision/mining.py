"""Regions that a classifier judges slices by, mined by erasing what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from pipeline.inference.gradcam import class_activation
from pipeline.inference.slices import SliceInferer
from pipeline.weak_supervision.labelled_volumes import LabelledVolume
from transforms.errors import SettingError
from transforms.slices import SliceBox, SliceInput, SliceStack, lung_slices
from transforms.slices.probabilities import to_probabilities

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class RegionMining:
    """Finds regions round by round (adversarial erasing, Wei et al. 2017).

    A map of the class's activation shows what spoke for it most, not all that did. So what was found is erased, and
    the classifier is asked again, until it no longer says the class. Where a network ends in a mean over the slice and
    one linear layer, Grad-CAM is the class activation map of Zhou et al. (2016), up to its scale.

    Attributes:
        rounds: How often at most.
        share: Of a map's highest value, from which on a pixel belongs to the region.
        threshold: Probability of the class under which a slice shows nothing (more).

    Raises:
        SettingError: When a setting is out of range.
    """

    rounds: int = 3
    share: float = 0.4
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.rounds < 1 or not 0 < self.share <= 1 or not 0 <= self.threshold <= 1:
            raise SettingError(
                "a setting of the mining is out of range", where="mining",
                found=f"rounds {self.rounds}, share {self.share:g}, threshold {self.threshold:g}",
                expected="1 or more, above 0 to 1, and 0 to 1",
            )  # fmt: skip

    def __call__(
        self, images: torch.Tensor, network: nn.Module, layer: str, target: int, inferer: SliceInferer
    ) -> torch.Tensor:
        """Finds the regions of slices.

        Args:
            images: `(B, C, H, W)`, not changed.
            network: Takes them to logits.
            layer: Name of the layer whose features are weighed.
            target: The class.
            inferer: Runs the network.

        Returns:
            `(B, H, W)` bool; empty where the classifier does not say the class.
        """
        rest = images.as_subclass(torch.Tensor).clone()
        mined = torch.zeros((len(rest), *rest.shape[2:]), dtype=torch.bool)
        left = torch.arange(len(rest))
        for _ in range(self.rounds):
            said = to_probabilities(inferer(rest[left], network))[:, target] >= self.threshold
            left = left[said]
            if not len(left):
                break
            found = class_activation(network, rest[left], layer, target) >= self.share
            mined[left] |= found
            # In the place of what is erased stands the mean of each channel of the slice.
            rest[left] = torch.where(found[:, None], rest[left].mean(dim=(2, 3), keepdim=True), rest[left])
        return mined


def mined_region(
    stack: SliceStack,
    volume: LabelledVolume,
    mining: RegionMining,
    network: nn.Module,
    layer: str,
    *,
    slice_input: SliceInput,
    inferer: SliceInferer,
) -> Mask:
    """What of a volume the classifier judges it by.

    Args:
        stack: The volume's slices.
        volume: What is known of it; slices of the first class stay empty.
        mining: How regions are found.
        network: The classifier.
        layer: Whose features are weighed.
        slice_input: What the network is given.
        inferer: Runs the network; slices are mined in batches of its size.

    Returns:
        `(X, Y, Z)` on the volume's grid.
    """
    found = np.zeros(stack.hu.shape, dtype=bool)
    slices = lung_slices(stack) if volume.has_finding else []
    for target in sorted({volume.target(index) for index in slices} - {0}):
        wanted = [stack.position(index) for index in slices if volume.target(index) == target]
        for first in range(0, len(wanted), inferer.batch_size):
            positions = wanted[first : first + inferer.batch_size]
            seen = [slice_input(stack.slab(position, slice_input.slices)) for position in positions]
            mined = mining(torch.stack([image for image, _ in seen]), network, layer, target, inferer)
            for position, (_, box), region in zip(positions, seen, mined, strict=True):
                _put(found[position], box, region)
    return np.asarray(stack.on_volume(found))


def _put(found: NDArray[Any], box: SliceBox, region: torch.Tensor) -> None:
    """Puts a region of the network's input into its place in the slice."""
    top, left, bottom, right = box
    size = (bottom - top, right - left)
    part = functional.interpolate(region[None, None].float(), size=size, mode="bilinear", align_corners=False)
    found[top:bottom, left:right] = part[0, 0].numpy() >= 0.5

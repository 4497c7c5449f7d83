"""What a classifier is trained towards: smoothed and mixed labels, and the loss that takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from monai.transforms import MixUp
from torch import nn
from torch.nn import functional

from transforms.errors import SettingError
from transforms.slices import ChangeRanges, apply_changes, draw_changes


class SoftTargets:
    """Prepares a batch for MONAI's trainer: images, and a probability for each class as their target.

    Chance comes from torch's own state, which a resumed run repeats.

    Args:
        classes: Number of classes.
        one_logit: Whether the network has one logit for two classes; the target then is that of the second.
        label_smoothing: Share of the probability that is spread over all classes (Szegedy et al. 2016).
        mixup: Alpha of the Beta distribution of mixup (Zhang et al. 2018); 0 leaves images as they are.
        changes: Random changes of the whole batch on its device (:class:`transforms.ChangeRanges`, or a mapping of its
            settings); `None` for none.

    Raises:
        SettingError: When a setting cannot be used.
    """

    def __init__(
        self,
        classes: int,
        *,
        one_logit: bool = False,
        label_smoothing: float = 0.0,
        mixup: float = 0.0,
        changes: ChangeRanges | Mapping[str, Any] | None = None,
    ) -> None:
        if one_logit and classes != 2:
            raise SettingError("one logit tells two classes apart", where="out_channels", found=f"{classes} classes")
        if not 0 <= label_smoothing < 1 or mixup < 0:
            raise SettingError(
                "smoothing or mixup is out of range", where="label_smoothing, mixup",
                found=f"{label_smoothing:g}, {mixup:g}", expected="0 to below 1, and 0 or more",
            )  # fmt: skip
        self.classes = classes
        self.one_logit = one_logit
        self.label_smoothing = label_smoothing
        self.mixup = mixup
        self.changes = None if changes is None else ChangeRanges.of(changes)

    def __call__(
        self, batch: Mapping[str, Any], device: torch.device | str | None = None, non_blocking: bool = False, **_: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Images `(B, C, H, W)`, and targets `(B, classes)` or, with one logit, `(B, 1)`."""
        images = batch["image"].as_subclass(torch.Tensor).to(device, non_blocking=non_blocking)
        if self.changes is not None:
            generator = torch.Generator().manual_seed(int(torch.randint(2**31, (1,))))
            drawn = draw_changes(self.changes, len(images), generator)
            images = apply_changes(images, drawn, self.changes.hole_size)
        labels = torch.as_tensor(batch["label"]).to(device, torch.long).reshape(-1)
        targets = functional.one_hot(labels, self.classes).float()
        targets = targets * (1 - self.label_smoothing) + self.label_smoothing / self.classes
        if self.mixup and len(images) > 1:
            images, targets = self._mixed(images, targets)
        return images, targets[:, 1:] if self.one_logit else targets

    def _mixed(self, images: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mix = MixUp(len(images), self.mixup)
        mix.set_random_state(seed=int(torch.randint(2**31, (1,))))
        mix.randomize()
        # MONAI mixes tensors of images; targets are mixed as images of one pixel.
        return mix.apply(images), mix.apply(targets[:, :, None, None])[:, :, 0, 0]


def classification_loss(one_logit: bool, weights: torch.Tensor | None = None) -> nn.Module:
    """Cross entropy with soft targets, binary for one logit.

    Args:
        one_logit: Whether the network has one logit for two classes.
        weights: `(K,)` by which classes count; `None` for all alike.
    """
    if not one_logit:
        return nn.CrossEntropyLoss(weight=weights)
    return nn.BCEWithLogitsLoss(pos_weight=None if weights is None else weights[1:] / weights[0])

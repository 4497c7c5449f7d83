"""Classifiers over all slices of a case, in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.inferers import Inferer

from pipeline.inference.precision import Precision, autocast, check_precision

Progress = Callable[[int, int], None]


class SliceInferer(Inferer):
    """Runs a classifier on the slices of cases.

    Args:
        batch_size: Slices that go through the network at a time.
        precision: Number format of the network; logits are float32.
        device: Where the network runs; by default where the slices are.
        flips: Test-time augmentation: for each entry the slices are mirrored along these axes (-1 from left to right,
            -2 from front to back) and the logits are averaged; `[[]]` is none.
        progress: Called with the number of slices done and the total after each batch.

    Raises:
        SettingError: When the precision is unknown.
    """

    def __init__(
        self,
        batch_size: int = 16,
        *,
        precision: Precision = "auto",
        device: torch.device | str | None = None,
        flips: Sequence[Sequence[int]] = ((),),
        progress: Progress | None = None,
    ) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.precision = check_precision(precision)
        self.device = None if device is None else torch.device(device)
        self.flips = [list(axes) for axes in flips] or [[]]
        self.progress = progress

    def __call__(
        self, inputs: torch.Tensor, network: Callable[..., torch.Tensor], *args: Any, **kwargs: Any
    ) -> torch.Tensor:
        """Logits of slices.

        Args:
            inputs: `(B, C, H, W)`, or cases of them `(1, N, C, H, W)`.
            network: Takes `(n, C, H, W)` to `(n, K)`.
            args: Passed to the network.
            kwargs: Passed to the network.

        Returns:
            `(B, K)` or `(1, N, K)` float32, where the slices are.
        """
        plain = inputs.as_subclass(torch.Tensor)
        stacked = plain.ndim == 5
        slices = plain[0] if stacked else plain
        device = slices.device if self.device is None else self.device
        parts = []
        for first in range(0, len(slices), self.batch_size):
            batch = slices[first : first + self.batch_size].to(device)
            with torch.no_grad(), autocast(self.precision, device):
                views = [network(batch.flip(axes) if axes else batch, *args, **kwargs).float() for axes in self.flips]
            parts.append(torch.stack(views).mean(dim=0).to(slices.device))
            if self.progress is not None and stacked:
                self.progress(min(first + self.batch_size, len(slices)), len(slices))
        logits = torch.cat(parts)
        return logits[None] if stacked else logits

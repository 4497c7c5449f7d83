"""The forward pass of training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.inferers import Inferer

from pipeline.inference.precision import Precision, autocast, check_precision


class AutocastInferer(Inferer):
    """Runs a network on a batch in reduced precision and gives float32 logits to the loss.

    MONAI's trainer autocasts on CUDA alone; this does on processors that compute in bfloat16 too.

    Args:
        precision: Number format (:data:`pipeline.inference.Precision`). float16 needs the trainer's own `amp`, which
            scales the loss; `auto` therefore is bfloat16 wherever the device has it.
    """

    def __init__(self, precision: Precision = "auto") -> None:
        super().__init__()
        self.precision = check_precision(precision)

    def __call__(self, inputs: torch.Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> torch.Tensor:
        """Logits of a batch, float32."""
        plain = inputs.as_subclass(torch.Tensor)
        with autocast(self._for(plain.device), plain.device):
            logits: torch.Tensor = network(plain, *args, **kwargs)
        return logits.float()

    def _for(self, device: torch.device) -> Precision:
        if self.precision == "auto" and device.type == "cuda":
            return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
        return self.precision

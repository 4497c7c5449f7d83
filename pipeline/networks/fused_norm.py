"""Instance norm and PReLU as one step of training on processors, which leaves channels where they lie in memory."""

from __future__ import annotations

from typing import Any, cast

import torch
from monai.networks.blocks import ADN
from torch import nn
from torch.autograd.function import once_differentiable

from pipeline.networks.layers import VECTOR, norm_and_prelu

LEAST_SLOPE = 0.01
"""What went in is told from what came out by the slope of negative values: below this, it no longer is."""


class FusedADN(ADN):
    """MONAI's block of instance norm and PReLU, the same arithmetic in fewer passes over memory.

    For instance norm torch brings the channels of all samples side by side, and back, in both directions. Its batch
    norm takes channels-last tensors as they are, and that of one sample is its instance norm. PReLU's own input need
    not be kept: its sign and size follow from the output. For training alone: programs that trace a network know
    nothing of this step.
    """

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features `(N, C, ...)` of the same shape."""
        norm, slope = cast(nn.InstanceNorm3d, self.N), cast(nn.PReLU, self.A).weight
        suits = features.device.type == "cpu" and features.shape[1] % VECTOR == 0 and features[0, 0].numel() > 1
        if suits and slope.item() >= LEAST_SLOPE:
            activated: torch.Tensor = _NormAndSlope.apply(features, slope, norm.eps)  # type: ignore[no-untyped-call]
        else:
            activated = super().forward(features)  # type: ignore[no-untyped-call]
        return activated


def fused_for_training(network: nn.Module) -> nn.Module:
    """A network with its plain instance norms and PReLUs as :class:`FusedADN`, in place; its state dict stays the same.

    Blocks with dropout, with norms that learn or track, or with a slope a channel stay what they are.
    """
    for module in network.modules():
        if type(module) is ADN and norm_and_prelu(module, inferring=False):
            module.__class__ = FusedADN
    return network


class _NormAndSlope(torch.autograd.Function):
    """Of features `(N, C, ...)`, the slope `(1,)` of negative values, and what is added to the variance."""

    @staticmethod
    def forward(ctx: Any, features: torch.Tensor, slope: torch.Tensor, eps: float) -> torch.Tensor:
        activated, statistics = torch.empty_like(features), []
        for one, out in zip(features, activated, strict=True):
            normed, *of_one = torch.native_batch_norm(one[None], None, None, None, None, True, 0.0, eps)
            torch.ops.aten.leaky_relu.out(normed, slope.item(), out=out[None])
            statistics += of_one
        ctx.eps = eps
        ctx.save_for_backward(features, slope, activated, *statistics)
        return activated

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        features, slope, activated, *statistics = ctx.saved_tensors
        of_features, of_slope = torch.empty_like(features), torch.zeros((), dtype=torch.float32)
        samples = zip(features, activated, gradient, statistics[::2], statistics[1::2], of_features, strict=True)
        for one, out, given, mean, deviation, result in samples:
            of_slope += (out.clamp(max=0) * given).sum(dtype=torch.float32)
            of_normed = torch.ops.aten.leaky_relu_backward(given, out, slope.item(), True)
            result[None], _, _ = torch.ops.aten.native_batch_norm_backward(
                of_normed[None], one[None], None, None, None, mean, deviation, True, ctx.eps, [True, False, False]
            )
        return of_features, (of_slope / slope).to(slope.dtype), None

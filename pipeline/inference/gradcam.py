"""Where a classifier looked: Grad-CAM (Selvaraju et al. 2017), by MONAI."""

from __future__ import annotations

import copy

import torch
from monai.visualize.class_activation_maps import GradCAM
from torch import nn

from pipeline.networks import Ensemble


def class_activation(network: nn.Module, images: torch.Tensor, layer: str, target: int) -> torch.Tensor:
    """Maps of what spoke for a class.

    Args:
        network: Takes `(B, C, H, W)` to logits; left as it is. Of an ensemble the maps of its networks are averaged.
        images: `(B, C, H, W)`.
        layer: Name of the layer whose features are weighed; of an ensemble, in each of its networks.
        target: The class; of one logit for two classes, 1 or 0, what speaks for or against it.

    Returns:
        `(B, H, W)` float32, 0 to 1, each scaled to its own highest value; all 0 where nothing spoke for the class.
    """
    members = network.networks if isinstance(network, Ensemble) else [network]
    return _scaled(torch.stack([_scaled(_weighed(one, images, layer, target)) for one in members]).mean(dim=0))


def _weighed(network: nn.Module, images: torch.Tensor, layer: str, target: int) -> torch.Tensor:
    device = next(network.parameters()).device
    with torch.inference_mode(False), torch.enable_grad():
        # A copy, for MONAI leaves its hooks in the network.
        probe = _Signed(copy.deepcopy(network).float().eval().requires_grad_(True))
        batch = images.as_subclass(torch.Tensor).clone().to(device).requires_grad_()
        cam = GradCAM(probe, f"network.{layer}", postprocessing=lambda values: values)
        maps: torch.Tensor = cam(batch, class_idx=target)[:, 0].detach().float().cpu().clamp(min=0)
    return maps


def _scaled(maps: torch.Tensor) -> torch.Tensor:
    highest = maps.amax(dim=(1, 2), keepdim=True)
    return maps / torch.where(highest > 0, highest, torch.ones_like(highest))


class _Signed(nn.Module):
    """A logit for each class, also where the network has one for two."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(image)
        return torch.cat([-logits, logits], dim=1) if logits.shape[1] == 1 else logits

"""A feature-pyramid head on a ResNet."""

from __future__ import annotations

import torch
from monai.networks.blocks import FeaturePyramidNetwork
from monai.networks.nets import ResNet
from torch import nn


class FPNClassifier(nn.Module):
    """Classifies from features of every depth: small lesions are in the shallow ones.

    The four stages of a ResNet go through a feature pyramid (Lin et al. 2017); the mean of each level over the slice
    enters one linear layer.

    Args:
        backbone: MONAI's ResNet, two-dimensional; its own head is not used.
        out_channels: Logits.
        pyramid_channels: Channels of each level.
    """

    def __init__(self, backbone: ResNet, out_channels: int, pyramid_channels: int = 128) -> None:
        super().__init__()
        backbone.fc = None
        self.backbone = backbone
        stages = (backbone.layer1, backbone.layer2, backbone.layer3, backbone.layer4)
        widths = [_width(stage) for stage in stages]
        self.pyramid = FeaturePyramidNetwork(2, widths, pyramid_channels)
        self.head = nn.Linear(len(widths) * pyramid_channels, out_channels)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits `(B, out_channels)` of images `(B, C, H, W)`."""
        net = self.backbone
        features = net.maxpool(net.act(net.bn1(net.conv1(image))))
        levels: dict[str, torch.Tensor] = {}
        for number, stage in enumerate((net.layer1, net.layer2, net.layer3, net.layer4)):
            features = stage(features)
            levels[str(number)] = features
        means = [level.mean(dim=(2, 3)) for level in self.pyramid(levels).values()]
        logits: torch.Tensor = self.head(torch.cat(means, dim=1))
        return logits


def _width(stage: nn.Module) -> int:
    """Channels that a stage puts out: those of the last convolution of its last block."""
    last = [module for module in list(stage.children())[-1].modules() if isinstance(module, nn.Conv2d)]
    blocks = [module for module in last if module.kernel_size != (1, 1) or module is last[-1]]
    return int(blocks[-1].out_channels)

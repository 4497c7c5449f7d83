"""Several trained networks as one."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import nn

from pipeline.networks.weights import prepare
from transforms.errors import SettingError

Average = Literal["probabilities", "logits"]
Activation = Literal["softmax", "sigmoid"]

_LEAST = 1e-6
"""The smallest probability that is told from 0: its logarithm is within half precision."""


class Ensemble(nn.Module):
    """Networks that answer together: `(B, C, ...)` to the mean of their answers, as logits.

    Args:
        networks: All with the same input and output.
        average: `probabilities`: the mean of what they hold for probable; `logits`: of what they put out.
        activation: Under which the answers are probabilities.

    Raises:
        SettingError: When there is no network, or an unknown word.
    """

    def __init__(
        self, networks: Sequence[nn.Module], *, average: Average = "probabilities", activation: Activation = "softmax"
    ) -> None:
        super().__init__()
        if not networks:
            raise SettingError("an ensemble needs networks", where="weights", found="none")
        if average not in get_args(Average) or activation not in get_args(Activation):
            raise SettingError(
                "the average is unknown", where="average", found=f"{average} under {activation}",
                expected=f"{' or '.join(get_args(Average))} under {' or '.join(get_args(Activation))}",
            )  # fmt: skip
        self.networks = nn.ModuleList(networks)
        self.average = average
        self.activation = activation

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The answer, whose activation is the mean of the networks' activations, or of their logits."""
        total = self._answer(self.networks[0], image)
        for network in self.networks[1:]:
            total = total + self._answer(network, image)
        mean = total / len(self.networks)
        if self.average == "logits":
            return mean
        mean = mean.clamp(_LEAST, 1 - _LEAST) if self.activation == "sigmoid" else mean.clamp_min(_LEAST)
        return torch.logit(mean) if self.activation == "sigmoid" else mean.log()

    def _answer(self, network: nn.Module, image: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = network(image).float()
        if self.average == "logits":
            return logits
        return logits.softmax(1) if self.activation == "softmax" else logits.sigmoid()


def prepare_ensemble(
    network: nn.Module,
    device: torch.device,
    *,
    weights: Sequence[str | Path],
    memory_format: torch.memory_format = torch.contiguous_format,
    average: Average = "probabilities",
    activation: Activation = "softmax",
) -> Ensemble:
    """Makes an ensemble of one kind of network with several weights files, for inference.

    Args:
        network: What they all are; not changed.
        device: Where they shall run.
        weights: State dict files.
        memory_format: See :func:`pipeline.networks.prepare`.
        average: See :class:`Ensemble`.
        activation: See :class:`Ensemble`.

    Raises:
        SettingError: When `weights` is a single file, or one does not fit the network.
        NotFoundError: When one does not exist.
    """
    if isinstance(weights, str | Path):
        raise SettingError(
            "an ensemble takes a list of weights files", where="weights", found=weights,
            expected="['fold_0/best.pt', 'fold_1/best.pt']",
        )  # fmt: skip
    networks = [prepare(copy.deepcopy(network), device, memory_format=memory_format, weights=one) for one in weights]
    return Ensemble(networks, average=average, activation=activation).eval()

"""A run over small volumes in memory, with a place for every kind of failure."""

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SimpleInferer
from monai.transforms import Compose, Lambda
from torch import nn
from torch.utils.data import DataLoader

from pipeline.cohorts import CaseDataset, CaseEvaluator

SHAPE = (6, 5, 4)


def volume(value: float) -> MetaTensor:
    """A volume that is all one value."""
    affine = torch.eye(4, dtype=torch.float64)
    meta = {"original_affine": affine.numpy(), "spatial_shape": np.array(SHAPE), "format": "nifti"}
    return MetaTensor(torch.full((1, *SHAPE), value), affine=affine, meta=meta)


@dataclass
class Steps:
    """What is done with each case's value; a test puts a step that fails in the place of one."""

    read: Callable[[float], float] = lambda value: value
    network: Callable[[float], float] = lambda value: value
    restore: Callable[[float], float] = lambda value: value
    handlers: list[Any] = field(default_factory=list)


@pytest.fixture(autouse=True)
def _light_collections() -> Iterator[None]:
    """The evaluator collects garbage after each case: let it not look through all that pytest has imported."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def failing_on():
    """A function that makes a step which raises an error for one value."""

    def make(bad: float, error: Exception) -> Callable[[float], float]:
        def step(value: float) -> float:
            if value == bad:
                raise error
            return value

        return step

    return make


@pytest.fixture
def evaluator() -> Callable[..., CaseEvaluator]:
    """A function that makes an evaluator of cases `case_1`, `case_2`, … with values 1, 2, …, and steps."""

    def make(count: int = 3, **steps: Any) -> CaseEvaluator:
        does = Steps(**steps)

        class Network(nn.Module):
            def forward(self, image: torch.Tensor) -> torch.Tensor:
                return image * does.network(float(image.max()))

        def read(data: dict[str, Any]) -> dict[str, Any]:
            native = volume(does.read(data["image"]))
            return {**data, "native": native, "image": native.clone()}

        def restore(data: dict[str, Any]) -> dict[str, Any]:
            does.restore(float(data["image"].max()))
            pred = MetaTensor(torch.ones((1, *SHAPE), dtype=torch.uint8), affine=data["image"].affine)
            return {**data, "pred": pred, "logits": data["pred"]}

        cases = [{"case": f"case_{value}", "image": float(value)} for value in range(1, count + 1)]
        dataset = CaseDataset(cases, Compose([Lambda(read)]))
        return CaseEvaluator(
            "cpu",
            DataLoader(dataset, batch_size=None),
            Network(),
            inferer=SimpleInferer(),
            postprocessing=Compose([Lambda(restore)]),
            val_handlers=does.handlers,
        )

    return make

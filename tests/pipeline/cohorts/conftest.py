"""A run over small volumes in memory, with a place for every kind of failure."""

import csv
import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SimpleInferer
from monai.transforms import Compose, Lambda
from torch import nn
from torch.utils.data import DataLoader

from pipeline.cohorts import CaseDataset, CaseEvaluator, CaseWriter, OpenCases
from pipeline.datasets.studies import Case
from pipeline.export import BundleIdentity

SHAPE = (6, 5, 4)
BUNDLE = BundleIdentity(name="a bundle", version="1", weights_hash="sha256:0")
CLASSES = {"background": 0, "lesion": 1}


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


@dataclass
class Cohort:
    """Files with a number each, and runs over them into one folder."""

    files: list[Path]
    out: Path
    bundle: BundleIdentity = BUNDLE
    settings: dict[str, Any] = field(default_factory=lambda: {"overlap": 0.5, "allow": [], "write": None})
    worked: list[str] = field(default_factory=list)
    """Cases that went through the network, of all runs."""

    def evaluator(self, *handlers: Any, volumes_in_memory: int = 3, **steps: Any) -> CaseEvaluator:
        """A run over all files."""
        does, cohort = Steps(**steps), self

        class Network(nn.Module):
            def forward(self, image: torch.Tensor) -> torch.Tensor:
                cohort.worked.append(f"case_{round(float(image.max()))}")
                return image * does.network(float(image.max()))

        def read(data: dict[str, Any]) -> dict[str, Any]:
            native = volume(does.read(float(Path(data["image"]).read_text().split()[0])))
            return {**data, "native": native, "image": native.clone()}

        def restore(data: dict[str, Any]) -> dict[str, Any]:
            does.restore(float(data["image"].max()))
            pred = MetaTensor(torch.ones((1, *SHAPE), dtype=torch.uint8), affine=data["image"].affine)
            return {**data, "pred": pred}

        cases = [Case(name=path.stem, path=path) for path in self.files]
        sampler = OpenCases(cases, self.out, bundle=self.bundle, settings=self.settings)
        kinds = ["nifti", "measurements"]
        writer = CaseWriter(self.out, CLASSES, self.bundle, write=kinds, settings=self.settings)
        return CaseEvaluator(
            "cpu",
            DataLoader(CaseDataset(cases, Compose([Lambda(read)])), sampler=sampler, batch_size=None),
            Network(),
            inferer=SimpleInferer(),
            postprocessing=Compose([Lambda(restore)]),
            val_handlers=[*handlers, writer, sampler],
            volumes_in_memory=volumes_in_memory,
        )

    def run(self, **steps: Any) -> CaseEvaluator:
        """Runs over all files; `worked` holds what this run did."""
        self.worked.clear()
        evaluator = self.evaluator(**steps)
        evaluator.run()
        return evaluator

    def rows(self) -> dict[str, dict[str, str]]:
        """The table's rows, which must be one a case."""
        with (self.out / "cases.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len({row["case"] for row in rows}) == len(rows)
        return {row["case"]: row for row in rows}


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    """Four cases, `case_1` to `case_4`, and no results yet."""
    files = [tmp_path / f"case_{value}.txt" for value in range(1, 5)]
    for value, path in enumerate(files, 1):
        path.write_text(str(value))
    return Cohort(files=files, out=tmp_path / "out")

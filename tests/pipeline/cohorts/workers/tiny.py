"""A workflow over text files: a number is a volume, some words are mishaps."""

import os
import signal
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.inferers import SimpleInferer
from monai.transforms import Compose, Lambda
from torch import nn
from torch.utils.data import DataLoader

from pipeline.cohorts import CaseDataset, CaseEvaluator, CaseWriter
from pipeline.export import BundleIdentity
from transforms.errors import UnreadableError

SHAPE = (6, 5, 4)
BUNDLE = BundleIdentity(name="tiny", version="1")
SETTINGS = {"overlap": 0.5}
HERE = "tests.pipeline.cohorts.workers.tiny"


def config(files: list[Path], out: Path, **keys: Any) -> dict[str, Any]:
    """The configuration, as a bundle's."""
    settings = {
        "imports": [f"$import {HERE} as tiny"],
        "engine": "local",
        "jobs": 2,
        "device": "cpu",
        "cluster": {},
        "volumes_in_memory": 2,
        "quality": "good",
        "output_dir": str(out),
        "cases": [{"case": path.stem, "image": str(path)} for path in files],
        "progress": {"_target_": "pipeline.cohorts.CaseProgress", "bar": False},
    }
    refer = {key: f"@{key}" for key in ("engine", "jobs", "device", "cluster", "volumes_in_memory")}
    open_cases = {
        "cases": "@cases",
        "output_dir": "@output_dir",
        "bundle": "$tiny.BUNDLE",
        "settings": "$tiny.SETTINGS",
    }
    return {
        **settings,
        "workers": {"_target_": "pipeline.cohorts.Workers", **refer},
        "open_cases": {"_target_": "pipeline.cohorts.OpenCases", **open_cases},
        "evaluator": {"_target_": f"{HERE}.evaluator", **{key: f"@{key}" for key in ARGUMENTS}},
        "initialize": [],
        **keys,
    }


ARGUMENTS = ("open_cases", "workers", "progress", "quality", "volumes_in_memory", "output_dir", "cases")


def evaluator(open_cases, workers, progress, quality, volumes_in_memory, output_dir, cases) -> CaseEvaluator:
    if quality != "good":
        raise UnreadableError("the weights are not weights", where=quality)
    writer = CaseWriter(output_dir, {"background": 0, "lesion": 1}, BUNDLE, write=["nifti"], settings=SETTINGS)
    return CaseEvaluator(
        "cpu",
        DataLoader(CaseDataset(cases, Compose([Lambda(read)])), sampler=open_cases, batch_size=None),
        nn.Identity(),
        inferer=SimpleInferer(),
        postprocessing=Compose([Lambda(restore)]),
        val_handlers=[writer, open_cases],
        volumes_in_memory=volumes_in_memory,
        progress=progress,
        workers=workers,
    )


def quality_of_workers(cases: list[Any]) -> str:
    """Weights that are good in the first process alone: workers begin without cases."""
    return "good" if cases else "bad.pt"


def read(data: dict[str, Any]) -> dict[str, Any]:
    path = Path(data["image"])
    word = path.read_text()
    note(path, "begun")
    if word == "broken":
        raise UnreadableError("it is broken", where=path)
    if word == "kills" or (word == "kills once" and count(path, "begun") == 1):
        with path.with_suffix(".temporary").open("a") as file:
            file.write(f"{mkdtemp()}\n")  # what is being fetched or unpacked
        os.kill(os.getpid(), signal.SIGKILL)
    affine = torch.eye(4, dtype=torch.float64)
    meta = {"original_affine": affine.numpy(), "spatial_shape": np.array(SHAPE), "filename_or_obj": str(path)}
    native = MetaTensor(torch.zeros((1, *SHAPE)), affine=affine, meta=meta)
    return {**data, "native": native, "image": native.clone()}


def restore(data: dict[str, Any]) -> dict[str, Any]:
    note(Path(data["native"].meta["filename_or_obj"]), "ended")
    return {**data, "pred": MetaTensor(torch.ones((1, *SHAPE), dtype=torch.uint8), affine=data["image"].affine)}


def note(path: Path, what: str) -> None:
    """Writes down which process did something with a file."""
    with path.with_suffix(f".{what}").open("a") as file:
        file.write(f"{os.getpid()}\n")


def count(path: Path, what: str) -> int:
    notes = path.with_suffix(f".{what}")
    return len(notes.read_text().splitlines()) if notes.exists() else 0

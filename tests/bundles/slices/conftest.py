"""Small pictures of drawn chests, a coarse phantom, tiny weights, and the commands of the classification bundle."""

import csv
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.bundle.hashes import publish_hashes
from pipeline.networks.classifiers import classifier

Result = subprocess.CompletedProcess[str]
Run = Callable[..., Result]

BUNDLE = Path(__file__).parents[3] / "bundles" / "ct_slice_classification"
CLASSES = ("NonCOVID", "COVID")
QUICK = {
    "device": "$torch.device('cpu')",
    "architecture": "resnet18",
    "image_size": [32, 32],
    "max_epochs": 2,
    "train_batch_size": 4,
    "accumulation_steps": 2,
    "batch_size": 8,
    "learning_rate": 0.002,
    "val_interval": 1,
}
"""Settings with which a training takes seconds."""


def draw_chest(generator: np.random.Generator, ill: bool) -> np.ndarray:
    """Gray values of a body with two lungs; those of the ill have white patches."""
    rows, columns = generator.integers(60, 100, size=2)
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    gray = np.where((x / 0.9) ** 2 + (y / 0.8) ** 2 <= 1, 190, 10).astype(float)
    lungs = np.minimum(((x - 0.4) / 0.3) ** 2, ((x + 0.4) / 0.3) ** 2) + (y / 0.55) ** 2 <= 1
    gray[lungs] = 60
    if ill:
        for side in (-0.45, 0.45):
            cx, cy = side + generator.uniform(-0.1, 0.1), generator.uniform(-0.3, 0.3)
            gray[lungs & (((x - cx) / 0.2) ** 2 + ((y - cy) / 0.25) ** 2 <= 1)] = 150
    return np.clip(gray + generator.normal(0, 8, gray.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def slice_bundle() -> Path:
    """The shipped bundle."""
    return BUNDLE


@pytest.fixture(scope="session")
def slice_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn chests in the layout of COVID-CT, of several modes; never to be changed."""
    folder = tmp_path_factory.mktemp("covid_ct")
    generator = np.random.default_rng(0)
    for value, name in enumerate(CLASSES):
        pictures = folder / f"CT_{name}"
        lists = folder / "Data-split" / name
        pictures.mkdir()
        lists.mkdir(parents=True)
        for split, count in {"train": 8, "val": 6, "test": 6}.items():
            files = []
            for number in range(count):
                suffix, mode = ((".png", "L"), (".jpg", "RGB"), (".png", "RGBA"))[number % 3]
                files.append(f"{split}%{number}{suffix}")
                picture = Image.fromarray(draw_chest(generator, bool(value))).convert(mode)
                if number == 1:  # drawn on: what is noteworthy of one picture must not part it from the others
                    picture.paste((200, 30, 30), (2, 2, 20, 20))
                picture.save(pictures / files[-1])
            (lists / f"{split}CT_{name}.txt").write_text("\n".join(files) + "\n")
    return folder


@pytest.fixture
def own_slice_data(slice_data: Path, tmp_path: Path) -> Path:
    """A copy of the data that a test may spoil."""
    return Path(shutil.copytree(slice_data, tmp_path / "data"))


@pytest.fixture(scope="session")
def slice_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of a small network."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("slice_weights") / "resnet18.pt"
    network = classifier("resnet18", 1, 2, dropout=0.2)
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="session")
def tiny_slice_bundle(tmp_path_factory: pytest.TempPathFactory, slice_weights: Path) -> Path:
    """The bundle with a small network, so that commands which cannot change the network are tested too."""
    folder = tmp_path_factory.mktemp("bundles") / BUNDLE.name
    shutil.copytree(BUNDLE / "configs", folder / "configs")
    path = folder / "configs" / "inference.yaml"
    text = path.read_text()
    for key, value in (("architecture", "resnet18"), ("image_size", "[64, 64]"), ("flips", "[[]]")):
        old = next(line for line in text.splitlines() if line.startswith(f"{key}:"))
        text = text.replace(old, f"{key}: {value}")
    path.write_text(text)
    (folder / "models").mkdir()
    shutil.copy(slice_weights, folder / "models" / "model.pt")
    publish_hashes(folder)
    return folder


@pytest.fixture(scope="session")
def train_slices(run_bundle: Run) -> Run:
    """A function that trains a small network on a data set into a folder, with overlays and values of keys."""

    def run(data: Path, out: Path, overlays: str = "", **keys: Any) -> Result:
        return run_bundle(BUNDLE, f"train {overlays}", {"dataset_dir": data, "ckpt_dir": out, **QUICK, **keys})

    return run


@pytest.fixture(scope="session")
def classify(run_bundle: Run, tiny_slice_bundle: Path) -> Run:
    """A function that classifies a study into a folder, with overlays and values of keys."""

    def run(study: Path, out: Path, overlays: str = "", **keys: Any) -> Result:
        return run_bundle(tiny_slice_bundle, f"inference {overlays}", {"dataset_dir": study, "output_dir": out, **keys})

    return run


@pytest.fixture(scope="session")
def table() -> Callable[[Path], list[dict[str, str]]]:
    """A function that reads the rows of a CSV."""

    def read(path: Path) -> list[dict[str, str]]:
        with path.open(newline="") as file:
            return list(csv.DictReader(file))

    return read

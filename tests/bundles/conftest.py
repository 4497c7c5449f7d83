"""Small phantoms, tiny networks, and the commands of the segmentation bundle."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
import yaml
from monai.networks.nets import UNet

from pipeline.bundle.hashes import publish_hashes
from pipeline.networks import UNetELU
from pipeline.phantom import LESION_LABELS, Phantom, PhantomFiles, PhantomSpec, make_phantom, write_phantom

Result = subprocess.CompletedProcess[str]
Run = Callable[..., Result]

BUNDLE = Path(__file__).parents[2] / "bundles" / "ct_lesion_segmentation"
TINY_3D = {"channels": [4, 8, 16], "strides": [2, 2]}
TINY_2D = {"channels": [4, 8, 16], "dropout": [0.0, 0.0, 0.0]}
QUICK = {
    "device": "$torch.device('cpu')",
    "spacing_mm": [5, 5, 5],
    "samples_per_epoch": 4,
    "num_workers": 0,
    "max_epochs": 2,
    "val_interval": 1,
}
"""Settings with which a training takes seconds."""


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The shipped bundle."""
    return BUNDLE


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    """A coarse phantom whose lungs are still found."""
    return make_phantom(PhantomSpec(seed=2, spacing_mm=(4.0, 4.0, 6.0)))


@pytest.fixture(scope="session")
def study(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> dict[str, PhantomFiles]:
    """The phantom as `dicom` and as `nifti`."""
    folder = tmp_path_factory.mktemp("study")
    return {name: write_phantom(folder / name, phantom, format=name) for name in ("dicom", "nifti")}


@pytest.fixture(scope="session")
def data_set(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The phantom and mirrored copies: two to train on, one to validate, one to test; never to be changed."""
    folder = tmp_path_factory.mktemp("data_set")
    splits = {"training": ["a", "b"], "validation": ["c"], "test": ["d"]}
    mirrored = {"a": (), "b": (2,), "c": (0,), "d": (0, 2)}
    for name, axes in mirrored.items():
        for kind, array in (("image", phantom.hu), ("label", phantom.labels)):
            nib.save(nib.Nifti1Image(np.flip(array, axes), phantom.affine), folder / f"{name}_{kind}.nii.gz")
    listed = {
        split: [{"case": name} | {kind: f"{name}_{kind}.nii.gz" for kind in ("image", "label")} for name in names]
        for split, names in splits.items()
    }
    (folder / "dataset.json").write_text(json.dumps({"labels": LESION_LABELS} | listed))
    return folder


@pytest.fixture
def own_data(data_set: Path, tmp_path: Path) -> Path:
    """A copy of the data set that a test may spoil."""
    return Path(shutil.copytree(data_set, tmp_path / "data"))


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Random weights of tiny networks: `3d` and `2.5d` of four classes, `two` of two, `other` of another network."""
    torch.manual_seed(0)
    networks = {
        "3d": UNet(3, 1, 4, **TINY_3D, num_res_units=2, norm="instance"),
        "two": UNet(3, 1, 2, **TINY_3D, num_res_units=2, norm="instance"),
        "other": UNet(3, 1, 4, channels=[4, 8], strides=[2], num_res_units=2, norm="instance"),
        "2.5d": UNetELU(3, 4, **TINY_2D),
    }
    folder = tmp_path_factory.mktemp("weights")
    for name, network in networks.items():
        torch.save(network.state_dict(), folder / f"{name}.pt")
    return {name: folder / f"{name}.pt" for name in networks}


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory, weights: dict[str, Path]) -> Path:
    """The bundle with tiny networks, so that commands which cannot change the network are tested too."""
    folder = tmp_path_factory.mktemp("bundles") / BUNDLE.name
    shutil.copytree(BUNDLE / "configs", folder / "configs")
    for name, size, patch in (("inference", TINY_3D, [32, 32, 32]), ("unet_2_5d", TINY_2D, [48, 48])):
        path = folder / "configs" / f"{name}.yaml"
        config = yaml.safe_load(path.read_text())
        config["network_def"] |= size
        config |= {"spacing_mm": [5, 5, 5], "patch_size": patch}
        path.write_text(yaml.safe_dump(config, sort_keys=False))
    (folder / "models").mkdir()
    shutil.copy(weights["3d"], folder / "models" / "model.pt")
    shutil.copy(weights["2.5d"], folder / "models" / "model_2_5d.pt")
    publish_hashes(folder)
    return folder


@pytest.fixture(scope="session")
def run_bundle(warm_python: Run) -> Run:
    """A function that runs `python -m monai.bundle run` with some of a bundle's configs and values of keys."""

    def run(bundle: Path, configs: str, keys: Mapping[str, Any], **options: Any) -> Result:
        files = [str(bundle / "configs" / f"{name}.yaml") for name in configs.split()]
        arguments = ["run", "--config_file", str(files), "--bundle_root", bundle]
        for key, value in keys.items():
            arguments += [f"--{key}", str(value) if isinstance(value, str | Path) else repr(value)]
        return options.pop("by", warm_python)("monai.bundle", *arguments, **options)

    run.begin = partial(run, by=warm_python.begin)
    return run


@pytest.fixture(scope="session")
def segment(run_bundle: Run, tiny_bundle: Path) -> Run:
    """A function that segments a study into a folder, with overlays and values of keys."""

    def run(study: Path, out: Path, overlays: str = "", **keys: Any) -> Result:
        return run_bundle(tiny_bundle, f"inference {overlays}", {"dataset_dir": study, "output_dir": out, **keys})

    return run


@pytest.fixture(scope="session")
def train(run_bundle: Run) -> Run:
    """A function that trains a tiny network on a data set into a folder, with overlays and values of keys.

    `train.begin` leaves it running.
    """

    def run(data: Path, out: Path, overlays: str = "", **keys: Any) -> Result:
        by, flat = keys.pop("by", run_bundle), "unet_2_5d" in overlays.split()
        size = {f"network_def#{key}": value for key, value in (TINY_2D if flat else TINY_3D).items()}
        patch = {"patch_size": [48, 48] if flat else [32, 32, 32]}
        settings = {"dataset_dir": data, "ckpt_dir": out, **QUICK, **size, **patch, **keys}
        return by(BUNDLE, f"train {overlays}", settings)

    run.begin = partial(run, by=run_bundle.begin)
    return run


@pytest.fixture(scope="session")
def message() -> Callable[[Result], str]:
    """A function that gives the one message of a command that failed for a user's mistake, and nothing but it."""

    def of(result: Result) -> str:
        assert "Traceback" not in result.stdout + result.stderr
        lines = [line for line in result.stderr.splitlines() if line.startswith("ctvol: error: ")]
        assert len(lines) == 1, result.stderr
        return lines[0]

    return of


@pytest.fixture(scope="session")
def label_map() -> Callable[[Path], np.ndarray]:
    """A function that reads the voxels of a NIfTI file."""

    def read(path: Path) -> np.ndarray:
        return np.asanyarray(nib.load(path).dataobj)

    return read


@pytest.fixture(scope="session")
def listing() -> Callable[[Path], dict[str, list[dict[str, str]]]]:
    """A function that reads a data set's list."""

    def read(data: Path) -> dict[str, list[dict[str, str]]]:
        return json.loads((data / "dataset.json").read_text())

    return read

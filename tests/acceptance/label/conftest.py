"""MONAI Label's real server in its own environment, and its own client; small bundles and phantoms to show them."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import requests
import torch
import yaml

from pipeline.bundle.hashes import publish_hashes
from pipeline.label_app import write_label_app
from pipeline.networks.classifiers import classifier
from pipeline.phantom import PhantomSpec, make_phantom
from tests.acceptance.programs import absent, free_port, serving
from tests.bundles.conftest import TINY_3D, tiny_bundle, weights  # noqa: F401
from tests.conftest import Run

ROOT = Path(__file__).parents[3]
PYTHON = Path(os.environ.get("LABEL_VENV", ROOT / ".venv-label")) / "bin" / "python"
SLICES = ROOT / "bundles" / "ct_slice_classification"

GRIDS = {
    "ras": PhantomSpec(seed=1, shape=(44, 40, 36), spacing_mm=(8.5, 8.25, 8.0), orientation="RAS"),
    "lps": PhantomSpec(seed=2, shape=(44, 40, 36), spacing_mm=(8.5, 8.25, 8.0), orientation="LPS"),
    "oblique": PhantomSpec(seed=3, shape=(44, 40, 36), spacing_mm=(8.5, 8.25, 8.0), oblique_degrees=20.0),
}


@dataclass(frozen=True)
class Server:
    """A running server: its address, app, and MONAI Label's client for it."""

    url: str
    app: Path
    client: Any
    log: Path

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """A request that the client has no method for, or whose status matters."""
        return requests.request(method, self.url + path, timeout=300, **options)

    @property
    def lives(self) -> bool:
        return bool(self.client.info()["models"])


@pytest.fixture(scope="session")
def client_module() -> ModuleType:
    """MONAI Label's own client, from the server's environment: it needs nothing of that."""
    if not PYTHON.exists():
        absent("MONAI Label's environment", "make label-install")
    (path,) = PYTHON.parents[1].glob("lib/python3*/site-packages/monailabel/client/client.py")
    spec = importlib.util.spec_from_file_location("monailabel_client", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def serve(client_module: ModuleType) -> Callable[..., Any]:
    """A context manager: the server of an app for studies, with `--conf` keys and settings of the environment."""

    @contextmanager
    def run(app: Path, studies: Path | str, tmp: Path, *conf: str, **settings: str) -> Iterator[Server]:
        port = free_port()
        start = ["-P", "-m", "monailabel.main", "start_server", "--app", app, "--studies", studies]
        place = ["--host", "127.0.0.1", "--port", port]
        pairs = [word for at in range(0, len(conf), 2) for word in ("--conf", *conf[at : at + 2])]
        command = [PYTHON, *start, *place, *pairs]
        cache = {"MONAI_LABEL_DICOMWEB_CACHE_PATH": str(tmp / "cache"), "TMPDIR": str(tmp), "HOME": str(tmp)}
        own = {"PATH": f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
        quiet = {"MONAI_LABEL_AUTO_UPDATE_SCORING": "false"}
        environment = {**os.environ, **own, **cache, **quiet, **settings}
        environment.pop("PYTHONPATH", None)
        url, log = f"http://127.0.0.1:{port}", tmp / "server.log"
        with serving(command, f"{url}/info/", log, seconds=120, env=environment, cwd=tmp):
            answers = tmp / "answers"  # the server removes what it sent: not the client's copy of the same name
            answers.mkdir()
            yield Server(url, Path(app), client_module.MONAILabelClient(url, str(answers)), log)

    return run


@pytest.fixture(scope="session")
def small_bundle(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """The segmentation bundle with tiny networks, for training too."""
    folder = Path(shutil.copytree(tiny_bundle, tmp_path_factory.mktemp("small") / tiny_bundle.name))
    path = folder / "configs" / "train.yaml"
    config = yaml.safe_load(path.read_text())
    config["network_def"] |= TINY_3D
    config |= {"spacing_mm": [5, 5, 5], "patch_size": [32, 32, 32], "num_workers": 0}
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return folder


@pytest.fixture(scope="session")
def small_classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classification bundle with a small network of random weights."""
    folder = tmp_path_factory.mktemp("slices") / SLICES.name
    shutil.copytree(SLICES / "configs", folder / "configs")
    path = folder / "configs" / "inference.yaml"
    config = yaml.safe_load(path.read_text()) | {"architecture": "resnet18", "image_size": [32, 32]}
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    torch.manual_seed(0)
    (folder / "models").mkdir()
    torch.save(classifier("resnet18", 1, 2, dropout=0.2).state_dict(), folder / "models" / "model.pt")
    publish_hashes(folder)
    return folder


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Chests as NIfTI with axes that point everywhere, and their true labels beside the folder."""
    folder, truth = tmp_path_factory.mktemp("images"), tmp_path_factory.mktemp("truth")
    paths = {}
    for name, spec in GRIDS.items():
        phantom = make_phantom(spec)
        paths[name] = folder / f"{name}.nii.gz"
        nib.save(nib.Nifti1Image(phantom.hu, phantom.affine), paths[name])
        paths[f"{name} truth"] = truth / f"{name}.nii.gz"
        nib.save(nib.Nifti1Image(phantom.labels, phantom.affine), paths[f"{name} truth"])
    return paths


@pytest.fixture(scope="module")
def studies(phantoms: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of studies that a server may write into: the phantoms, and a file cut short."""
    folder = tmp_path_factory.mktemp("studies")
    for name in GRIDS:
        shutil.copy(phantoms[name], folder)
    (folder / "cut.nii.gz").write_bytes(phantoms["ras"].read_bytes()[:2000])
    return folder


@pytest.fixture(scope="module")
def server(
    serve: Callable[..., Any],
    studies: Path,
    small_bundle: Path,
    small_classifier: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """The app of `ctvol label-app` with small bundles, served."""
    tmp = tmp_path_factory.mktemp("server")
    app = write_label_app(tmp / "app")
    bundles = ("segmentation", str(small_bundle), "classification", str(small_classifier))
    with serve(app, studies, tmp, *bundles) as running:
        yield running


@pytest.fixture(scope="session")
def voxels() -> Callable[[Path], np.ndarray]:
    """A function that reads the voxels of a NIfTI file."""
    return lambda path: np.asanyarray(nib.load(path).dataobj)


@pytest.fixture(scope="session")
def segmented(run_ctvol: Run, small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that gives what `ctvol segment` makes of a study with the small bundle, once a session."""
    folder, done = tmp_path_factory.mktemp("segmented"), dict[tuple[str, ...], Path]()

    def run(study: Path, variant: str = "3d", *more: object) -> Path:
        key = (str(study), variant, *map(str, more))
        if key not in done:
            out = folder / str(len(done))
            options = ["--bundle", small_bundle, "--variant", variant, "--device", "cpu", "--write", "nifti", *more]
            said = run_ctvol("segment", study, "-o", out, *options)
            assert said.returncode == 0, said.stderr
            (done[key],) = out.glob("*/labels.nii.gz")
        return done[key]

    return run

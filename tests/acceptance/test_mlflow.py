"""`--tracking mlflow` on train, evaluate and inference, with MLflow itself and its SQLite store."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.programs import absent
from tests.bundles.conftest import (  # noqa: F401
    BUNDLE,
    QUICK,
    TINY_3D,
    bundle,
    data_set,
    phantom,
    study,
    tiny_bundle,
    weights,
)  # fmt: skip
from tests.bundles.slices.conftest import BUNDLE as SLICES
from tests.bundles.slices.conftest import QUICK as QUICK_SLICES
from tests.bundles.slices.conftest import slice_data  # noqa: F401

pytestmark = pytest.mark.service

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("MLFLOW_VENV", ROOT / ".venv-mlflow")) / "bin" / "python"

READ = """
import json, sys
from mlflow import MlflowClient
client = MlflowClient(sys.argv[1])
(experiment,) = [one for one in client.search_experiments() if one.name == "monai_experiment"]
(run,) = client.search_runs([experiment.experiment_id])
def files(path=None):
    for one in client.list_artifacts(run.info.run_id, path):
        yield from files(one.path) if one.is_dir else [one.path]
print(json.dumps({"status": run.info.status, "params": run.data.params, "metrics": run.data.metrics,
                  "files": sorted(files())}))
"""


def run_python(*arguments):
    if not PYTHON.exists():
        absent("MLflow", "make mlflow-install")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    return subprocess.run(
        [str(one) for one in (PYTHON, "-P", *arguments)], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def run_bundle(folder, configs, **keys):
    files = [str(folder / "configs" / f"{name}.yaml") for name in configs.split()]
    texts = [
        text
        for key, value in {"bundle_root": folder, "tracking": "mlflow", **keys}.items()
        for text in (f"--{key}", str(value))
    ]
    done = run_python("-m", "monai.bundle", "run", "--config_file", files, *texts)
    assert done.returncode == 0, done.stderr[-3000:]


def tracked(out):
    done = run_python("-c", READ, f"sqlite:///{out / 'mlruns.db'}")
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def trained(data_set, tmp_path_factory):  # noqa: F811
    out = tmp_path_factory.mktemp("trained")
    tiny = {f"network_def#{key}": value for key, value in TINY_3D.items()}
    run_bundle(
        BUNDLE, "train", dataset_dir=data_set, ckpt_dir=out, **{**QUICK, "max_epochs": 1}, **tiny, patch_size=[32] * 3
    )
    return out


def test_a_training_leaves_parameters_metrics_weights_and_the_bundle(trained):
    run = tracked(trained)
    assert run["status"] == "FINISHED"
    assert run["params"]["bundle"] == json.loads((BUNDLE / "configs" / "metadata.json").read_text())["name"]
    assert run["params"]["learning_rate"] == "0.001"
    assert run["params"]["spacing_mm"] == "[5, 5, 5]"
    assert {"train_loss", "val_mean_dice"} <= set(run["metrics"])
    assert {"bundle/configs/train.yaml", "bundle/configs/metadata.json", "bundle/models/best.pt"} <= set(run["files"])


def test_an_evaluation_leaves_its_tables_and_figures(trained, data_set, tmp_path):  # noqa: F811
    tiny = {f"network_def#{key}": value for key, value in TINY_3D.items()}
    keys = {"dataset_dir": data_set, "ckpt_dir": trained, "output_dir": tmp_path, "bootstrap_samples": 20}
    small = {"device": "cpu", "spacing_mm": [5, 5, 5], "patch_size": [32] * 3, "num_workers": 0}
    run_bundle(BUNDLE, "train evaluate", **keys, **small, **tiny)
    run = tracked(tmp_path)
    assert run["status"] == "FINISHED"
    assert run["params"]["weights_hash"].startswith("sha256:")
    results = [name for name in run["files"] if name.startswith("results/")]
    assert any(name.endswith(".csv") for name in results)
    assert any(name.endswith(".json") for name in results)


def test_an_inference_leaves_settings_figures_and_pictures_of_each_case(tiny_bundle, study, tmp_path):  # noqa: F811
    run_bundle(tiny_bundle, "inference", dataset_dir=study["nifti"].ct, output_dir=tmp_path, device="cpu")
    run = tracked(tmp_path)
    assert run["status"] == "FINISHED"
    assert run["params"]["mode"] == "fast"
    assert run["params"]["weights_hash"].startswith("sha256:")
    assert run["metrics"]["cases_done"] == 1
    assert run["metrics"]["cases_failed"] == 0
    assert run["metrics"]["mean_lung_volume_ml"] > 0
    assert {"results/cases.csv", "results/ct/preview.png", "results/ct/provenance.json"} <= set(run["files"])
    assert {"bundle/configs/inference.yaml", "bundle/models/model.pt"} <= set(run["files"])


def test_the_slice_classifier_leaves_its_training_and_the_figures_of_its_evaluation(slice_data, tmp_path):  # noqa: F811
    keys = {**QUICK_SLICES, "dataset_dir": slice_data, "ckpt_dir": tmp_path / "run"}
    run_bundle(SLICES, "train", **keys)
    training = tracked(tmp_path / "run")
    assert training["status"] == "FINISHED"
    assert training["params"]["bundle"] == json.loads((SLICES / "configs" / "metadata.json").read_text())["name"]
    assert {"train_loss", "val_accuracy"} <= set(training["metrics"])
    assert {"bundle/configs/train.yaml", "bundle/models/best.pt"} <= set(training["files"])
    run_bundle(SLICES, "train evaluate", **keys, output_dir=tmp_path / "scores")
    evaluation = tracked(tmp_path / "scores")
    assert evaluation["params"]["weights_hash"].startswith("sha256:")
    files = {name for name in evaluation["files"] if name.startswith("results/")}
    assert {"results/metrics.json", "results/predictions.csv"} <= files
    assert any(name.endswith(".png") for name in files)

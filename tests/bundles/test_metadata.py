"""The bundle as MONAI's own checks see it, and what must be the same in several of its files."""

import json
import shutil
import sys
from pathlib import Path

import monai
import pytest
import torch
import yaml
from monai.bundle import ConfigParser, ConfigWorkflow
from monai.networks.blocks import ADN
from monai.networks.nets import UNet

from pipeline.networks import FusedADN

SCHEMA = Path(__file__).parents[2] / "pipeline/bundle/metadata_schema.json"
SHARED = "# What train, validate and infer share"


@pytest.fixture(scope="module")
def metadata(bundle):
    return json.loads((bundle / "configs" / "metadata.json").read_text())


@pytest.fixture(scope="module")
def whole_bundle(bundle, tmp_path_factory):
    """The bundle with weights: a copy of it, with random ones where none are shipped."""
    folder = shutil.copytree(bundle, tmp_path_factory.mktemp("whole") / bundle.name)
    weights = folder / "models" / "model.pt"
    if not weights.is_file():
        config = yaml.safe_load((folder / "configs" / "inference.yaml").read_text())["network_def"]
        arguments = {key: value for key, value in config.items() if not key.startswith(("_", "in_", "out_"))}
        torch.manual_seed(0)
        weights.parent.mkdir(exist_ok=True)
        torch.save(UNet(in_channels=1, out_channels=4, **arguments).state_dict(), weights)
    return folder


def arguments(bundle, **more):
    files = {"meta_file": bundle / "configs/metadata.json", "config_file": bundle / "configs/inference.yaml"}
    return [text for key, value in (files | more).items() for text in (f"--{key}", value)]


def shared_keys(path):
    """The top-level keys between the comment and the channels, which are what the settings come to."""
    lines = path.read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(SHARED))
    keys = [line.split(":")[0] for line in lines[first:] if line[:1].isalpha()]
    return keys[: keys.index("out_channels")]


def test_the_metadata_keep_to_monais_schema(warm_python, bundle, tmp_path):
    schema = shutil.copy(SCHEMA, tmp_path / "schema.json")  # where it is already, it is not fetched
    result = warm_python(
        "monai.bundle", "verify_metadata", "--meta_file", bundle / "configs/metadata.json", "--filepath", schema
    )
    assert result.returncode == 0, result.stderr
    assert "metadata is verified with no error" in result.stdout + result.stderr


def test_the_network_takes_and_gives_what_the_metadata_say(warm_python, whole_bundle):
    more = {"bundle_root": whole_bundle, "device": "cpu"}
    result = warm_python("monai.bundle", "verify_net_in_out", "network_def", *arguments(whole_bundle, **more))
    assert result.returncode == 0, result.stderr
    assert "verified with no error" in result.stdout + result.stderr


def test_the_exported_network_gives_the_same(warm_python, whole_bundle, tmp_path):
    weights = whole_bundle / "models" / "model.pt"
    more = {"bundle_root": whole_bundle, "ckpt_file": weights, "filepath": tmp_path / "model.ts"}
    result = warm_python("monai.bundle", "ckpt_export", "network_def", *arguments(whole_bundle, **more))
    assert result.returncode == 0, result.stderr
    exported = torch.jit.load(tmp_path / "model.ts").eval()
    network = UNet(3, 1, 4, channels=[16, 32, 64, 128, 256], strides=[2, 2, 2, 2], num_res_units=2, norm="instance")
    network.load_state_dict(torch.load(weights, weights_only=True))
    image = torch.rand(1, 1, 32, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(exported(image), network.eval()(image), atol=1e-4, rtol=1e-3)


def test_training_and_inference_share_their_settings(bundle):
    paths = [bundle / "configs" / f"{name}.yaml" for name in ("train", "inference")]
    keys = [set(shared_keys(path)) for path in paths]
    of_whole_cases = {
        "activation", "flips", "keep_largest", "lung_lesions", "min_component_ml", "min_weight", "placement",
        "progress", "tta",
    }  # fmt: skip
    assert keys[0] ^ keys[1] <= of_whole_cases
    assert {"classes", "merge", "spacing_mm", "windows", "scaling", "patch_size", "region"} <= keys[0] & keys[1]
    train, inference = (yaml.safe_load(path.read_text()) for path in paths)
    for key in [*(keys[0] & keys[1]), "network_def"]:
        assert train[key] == inference[key], key


@pytest.mark.parametrize("overlay", [None, "fine_tune.yaml"])
def test_training_takes_norm_and_activation_as_one_step(overlay, bundle):
    parser = ConfigParser({"init_weights": str(bundle / "models" / "model.pt")} if overlay else {})
    parser.read_config([str(bundle / "configs" / name) for name in ("train.yaml", overlay) if name])
    parser["run_device"], parser["bundle_root"] = torch.device("cpu"), str(bundle)
    network = parser.get_parsed_content("network")
    blocks = [module for module in network.modules() if isinstance(module, ADN)]
    assert blocks
    assert all(isinstance(block, FusedADN) for block in blocks)


def test_evaluation_restores_as_inference_does(bundle):
    evaluate, inference = (
        yaml.safe_load((bundle / "configs" / f"{name}.yaml").read_text()) for name in ("evaluate", "inference")
    )
    restoring = dict(inference["postprocessing"])
    assert restoring.pop("probabilities") == "@keep_probabilities"  # an output of inference alone
    assert evaluate["validate"]["postprocessing"] == restoring
    for key in {"activation", "keep_largest", "min_component_ml"} & set(evaluate):
        assert evaluate[key] == inference[key]


def test_what_the_metadata_say_is_what_the_configs_do(bundle, metadata):
    config = yaml.safe_load((bundle / "configs" / "inference.yaml").read_text())
    (output,) = metadata["network_data_format"]["outputs"].values()
    assert {name: int(value) for value, name in output["channel_def"].items()} == config["classes"]
    assert output["num_channels"] == len(config["classes"])
    (image,) = metadata["network_data_format"]["inputs"].values()
    assert image["num_channels"] == len(config["windows"])


def test_versions_agree(bundle, metadata):
    assert metadata["version"] in metadata["changelog"]
    assert metadata["monai_version"] == monai.__version__
    assert torch.__version__.startswith(metadata["pytorch_version"])


def test_overlays_change_only_keys_that_are_there(bundle):
    """MONAI takes an unknown key without a word: a renamed setting would leave an overlay without effect."""
    configs = {path.stem: yaml.safe_load(path.read_text()) for path in (bundle / "configs").glob("*.yaml")}
    measured = {"split", "tolerance_mm", "lesion_overlap", "min_lesion_ml", "bootstrap_samples", "patient_pattern"}
    known = set(configs["train"]) | set(configs["inference"]) | measured | {"process_backend", "finalize"}
    known |= {"fold", "folds", "fold_seed", "average"}
    for name, config in configs.items():
        unknown = {key for key in config if key.split("#")[0] not in known}
        assert not unknown, name


def test_no_personal_path_is_in_the_bundle(bundle):
    for path in (bundle / "configs").rglob("*.*"):
        assert "/home/" not in path.read_text()
        assert "/root/" not in path.read_text()


@pytest.mark.parametrize(("kind", "config"), [("train", "train"), ("infer", "inference")])
def test_monais_workflow_properties_are_there(whole_bundle, data_set, study, tmp_path, monkeypatch, kind, config):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # the configs set it
    keys = {"dataset_dir": str(data_set if kind == "train" else study["nifti"].ct), "ckpt_dir": str(tmp_path)}
    workflow = ConfigWorkflow(
        config_file=str(whole_bundle / "configs" / f"{config}.yaml"),
        meta_file=str(whole_bundle / "configs" / "metadata.json"),
        workflow_type=kind,
        logging_file=False,
        bundle_root=str(whole_bundle),
        output_dir=str(tmp_path),
        **keys,
    )
    workflow.initialize()
    assert not workflow.check_properties()

"""The classification bundle as MONAI's own checks see it, and what must be the same in several of its files."""

import json
import shutil
from pathlib import Path

import monai
import pytest
import torch
import yaml

from pipeline.networks.classifiers import classifier

SCHEMA = Path(__file__).parents[3] / "pipeline" / "bundle" / "metadata_schema.json"
SHARED = "# What train, validate and infer share"


@pytest.fixture(scope="module")
def metadata(slice_bundle):
    return json.loads((slice_bundle / "configs" / "metadata.json").read_text())


@pytest.fixture(scope="module")
def configs(slice_bundle):
    return {path.stem: yaml.safe_load(path.read_text()) for path in (slice_bundle / "configs").rglob("*.yaml")}


def shared_keys(path):
    lines = path.read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(SHARED))
    keys = [line.split(":")[0] for line in lines[first:] if line[:1].isalpha()]
    return keys[: keys.index("out_channels") + 1]


def arguments(bundle, **more):
    files = {"meta_file": bundle / "configs/metadata.json", "config_file": bundle / "configs/inference.yaml"}
    return [text for key, value in (files | more).items() for text in (f"--{key}", value)]


def test_the_metadata_keep_to_monais_schema(warm_python, slice_bundle, tmp_path):
    schema = shutil.copy(SCHEMA, tmp_path / "schema.json")  # where it is already, it is not fetched
    path = slice_bundle / "configs/metadata.json"
    result = warm_python("monai.bundle", "verify_metadata", "--meta_file", path, "--filepath", schema)
    assert result.returncode == 0, result.stderr
    assert "metadata is verified with no error" in result.stdout + result.stderr


def test_the_network_takes_and_gives_what_the_metadata_say(warm_python, slice_bundle):
    more = {"bundle_root": slice_bundle, "device": "cpu"}
    result = warm_python("monai.bundle", "verify_net_in_out", "network_def", *arguments(slice_bundle, **more))
    assert result.returncode == 0, result.stderr
    assert "verified with no error" in result.stdout + result.stderr


def test_the_exported_network_gives_the_same(warm_python, slice_bundle, configs, tmp_path):
    settings = configs["inference"]
    torch.manual_seed(0)
    network = classifier(settings["architecture"], 1, 2, dropout=settings["dropout"]).eval()
    torch.save(network.state_dict(), tmp_path / "model.pt")
    more = {"bundle_root": slice_bundle, "ckpt_file": tmp_path / "model.pt", "filepath": tmp_path / "model.ts"}
    more["input_shape"] = "[1, 1, 128, 128]"
    result = warm_python(
        "monai.bundle", "ckpt_export", "network_def", *arguments(slice_bundle, **more), "--use_trace", "True"
    )
    assert result.returncode == 0, result.stderr
    exported = torch.jit.load(tmp_path / "model.ts").eval()
    image = torch.rand(1, 1, 128, 128)
    with torch.inference_mode():
        torch.testing.assert_close(exported(image), network(image), atol=1e-4, rtol=1e-3)


def test_training_and_inference_share_their_settings(slice_bundle, configs):
    keys = [shared_keys(slice_bundle / "configs" / f"{name}.yaml") for name in ("train", "inference")]
    assert keys[0] == keys[1]
    assert {"classes", "architecture", "image_size", "region", "windows", "flips"} <= set(keys[0])
    for key in {*keys[0], "network_input"} - {"progress"}:  # a bar for training, cases for inference
        assert configs["train"][key] == configs["inference"][key], key
    trained = dict(configs["train"]["network_def"])
    assert trained.pop("pretrained") == "@pretrained"
    assert trained == configs["inference"]["network_def"]


def test_what_the_metadata_say_is_what_the_configs_do(configs, metadata):
    (output,) = metadata["network_data_format"]["outputs"].values()
    assert {name: int(value) for value, name in output["channel_def"].items()} == configs["inference"]["classes"]
    (image,) = metadata["network_data_format"]["inputs"].values()
    assert image["num_channels"] == len(configs["inference"]["windows"]) * configs["inference"]["copies"]
    assert image["spatial_shape"] == configs["inference"]["image_size"]


def test_versions_agree(metadata):
    assert metadata["version"] in metadata["changelog"]
    assert metadata["monai_version"] == monai.__version__
    assert torch.__version__.startswith(metadata["pytorch_version"])


def test_overlays_change_only_keys_that_are_there(configs):
    """MONAI takes an unknown key without a word: a renamed setting would leave an overlay without effect."""
    own = {"splits", "mining", "refinement", "pseudo_masks", "average"} | {
        "split",
        "threshold",
        "bootstrap_samples",
        "gradcam",
        "evaluation_data",
        "evaluation",
        "choose",
    }
    known = set(configs["train"]) | set(configs["inference"]) | own | {"weights", "process_backend", "finalize"}
    for name, config in configs.items():
        assert not {key for key in config if key.split("#")[0] not in known}, name


def test_no_personal_path_is_in_the_bundle(slice_bundle):
    for path in (path for path in (slice_bundle / "configs").rglob("*") if path.is_file()):
        assert "/home/" not in path.read_text()
        assert "/root/" not in path.read_text()

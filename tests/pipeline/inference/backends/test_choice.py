"""Which backend is taken, and that all that are here agree within their precision."""

import importlib.util
import re

import pytest
import torch
from monai.networks.nets import UNet
from torch import nn

from pipeline.inference import PatchInferer
from pipeline.inference.backends import Target, check_backend, choose
from pipeline.inference.backends.artefacts import CACHE_VARIABLE, weights_hash
from pipeline.inference.backends.choice import _say
from transforms.errors import SettingError

CPU = Target(device=torch.device("cpu"), dtype=torch.float32, part_shape=(1, 16, 16, 16))
GPU = Target(device=torch.device("cuda"), dtype=torch.float16, part_shape=(1, 16, 16, 16))
HAS_OPENVINO = importlib.util.find_spec("openvino") is not None


def network(seed=0):
    torch.manual_seed(seed)
    return UNet(3, 1, 3, (16, 32, 64), (2, 2), num_res_units=2, norm="instance").eval()


@pytest.mark.parametrize(
    ("name", "given", "target", "taken"),
    [
        ("auto", network(), CPU, "Rewritten"),
        ("torch", network(), CPU, "Rewritten"),
        ("module", network(), CPU, "AsItIs"),
        ("auto", network(), GPU, "Captured"),
        ("torch", network(), GPU, "Captured"),
        ("module", network(), GPU, "AsItIs"),
        ("auto", network().train(), GPU, "AsItIs"),
        ("auto", network().train(), CPU, "AsItIs"),
        ("auto", lambda patch: patch, CPU, "AsItIs"),
        ("tensorrt", network(), CPU, "Rewritten"),
        ("tensorrt", network().train(), CPU, "AsItIs"),
        ("tensorrt", lambda patch: patch, GPU, "AsItIs"),
        ("openvino", network(), GPU, "Captured"),
    ],
)
def test_what_cannot_be_used_falls_back(name, given, target, taken):
    assert type(choose(name, given, target)).__name__ == taken


def test_a_backend_that_is_not_used_is_said_once(caplog):
    for _ in range(2):
        choose("tensorrt", network(), Target(device=torch.device("cpu"), dtype=torch.bfloat16, part_shape=(1, 8, 8, 8)))
    assert len([record for record in caplog.records if "tensorrt is not used" in record.getMessage()]) <= 1


@pytest.mark.skipif(importlib.util.find_spec("tensorrt") is not None, reason="TensorRT is here")
@pytest.mark.parametrize(("target", "remedy"), [(CPU, "device cuda"), (GPU, r"pip install ctvol\[trt\]")])
def test_where_tensorrt_is_missing_the_remedy_is_named(target, remedy, caplog):
    _say.cache_clear()
    choose("tensorrt", network(), target)
    (record,) = caplog.records
    assert re.search(remedy, record.getMessage())


def test_an_unknown_backend_is_refused():
    with pytest.raises(SettingError, match="backend"):
        check_backend("onnx")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "backend",
    ["torch", pytest.param("openvino", marks=pytest.mark.skipif(not HAS_OPENVINO, reason="needs ctvol[openvino]"))],
)
def test_backends_agree_within_their_precision(backend, precision, tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    image = torch.rand((1, 1, 24, 20, 33), generator=torch.Generator().manual_seed(0))
    run = network().to(memory_format=torch.channels_last_3d)  # as bundles have it
    exact = PatchInferer((16, 16, 16), precision="float32", backend="module")(image, run)
    other = PatchInferer((16, 16, 16), precision=precision, backend=backend)(image, run)
    error = (other - exact).abs().mean() / exact.abs().mean()
    assert error < (1e-4 if precision == "float32" else 2e-2)


def test_new_weights_are_noticed():
    image = torch.rand((1, 1, 16, 16, 16))
    inferer, run = PatchInferer((16, 16, 16), precision="float32"), network()
    before = inferer(image, run)
    run.load_state_dict(network(seed=1).state_dict())
    expected = PatchInferer((16, 16, 16), precision="float32", backend="module")(image, run)
    after = inferer(image, run)
    torch.testing.assert_close(after, expected, atol=1e-3, rtol=1e-3)
    assert not torch.allclose(after, before, atol=1e-2)


def test_weights_and_layers_make_the_hash():
    assert weights_hash(network()) == weights_hash(network())
    assert weights_hash(network()) != weights_hash(network(1))
    assert weights_hash(network()) == weights_hash(network().to(memory_format=torch.channels_last_3d))
    assert weights_hash(nn.PReLU()) != weights_hash(nn.PReLU(init=0.3))

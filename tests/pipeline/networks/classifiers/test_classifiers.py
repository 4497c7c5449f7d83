"""Every named network: its shapes, its size as published, its last features, its dropout, its weights."""

import sys
from importlib.util import find_spec
from urllib.error import URLError

import pytest
import torch
from torch import nn

from pipeline.networks.classifiers import CLASSIFIERS, classifier, last_features, network_cost, report_cost
from transforms.errors import MissingExtraError, NotFoundError, SettingError

OURS = [name for name in CLASSIFIERS if name != "vgg19_bn"]
PUBLISHED = {  # of 1000 classes and three channels, in millions: the papers' and torchvision's tables
    "densenet121": 7.98, "densenet169": 14.15, "resnet18": 11.69, "resnet50": 25.56, "seresnet50": 28.07,
    "efficientnet-b0": 5.29, "efficientnet-b1": 7.79, "efficientnet-b2": 9.11, "efficientnet-b3": 12.23,
    "efficientnet-b4": 19.34,
}  # fmt: skip


def on_meta(name, *arguments, **options):
    with torch.device("meta"):
        return classifier(name, *arguments, **options)


@pytest.mark.parametrize("name", OURS)
def test_it_takes_any_channels_and_gives_logits(name):
    network = on_meta(name, 4, 3, dropout=0.45).to("meta").eval()
    assert network(torch.zeros(2, 4, 96, 64, device="meta")).shape == (2, 3)
    dropouts = [module for module in network.modules() if isinstance(module, nn.Dropout) and module.p == 0.45]
    assert len(dropouts) == 1


@pytest.mark.parametrize("name", PUBLISHED)
def test_it_is_as_large_as_published(name):
    count = sum(parameter.numel() for parameter in on_meta(name, 3, 1000).parameters())
    assert count / 1e6 == pytest.approx(PUBLISHED[name], abs=0.03)


def test_operations_are_those_of_the_paper():
    cost = network_cost(on_meta("resnet18", 3, 1000), 3, (224, 224))
    assert cost.flops == pytest.approx(2 * 1.82e9, rel=0.02)


def test_what_it_costs_is_logged(caplog):
    caplog.set_level("INFO")
    report_cost(nn.Conv2d(1, 2, 3), 1, (10, 12), "tiny")
    assert "tiny: 0.00 million parameters, 0.00 GFLOP an input of 10 × 12" in caplog.text
    assert network_cost(nn.Conv2d(1, 2, 3), 1, (10, 12)) == (20, 2 * 8 * 10 * 9 * 2)


@pytest.mark.parametrize(
    ("name", "layer"),
    [("resnet18", "layer4.1.conv2"), ("seresnet50", "layer4.2.conv3.conv"), ("efficientnet-b0", "_conv_head"),
     ("densenet121", "class_layers.relu")],
)  # fmt: skip
def test_the_last_features(name, layer):
    network = classifier(name, 1, 2) if name == "densenet121" else on_meta(name, 1, 2)
    assert last_features(network, 1) == layer
    assert network.get_submodule(layer) is not None


def test_the_pyramid_sees_every_depth():
    torch.manual_seed(0)
    network = classifier("resnet18_fpn", 1, 2).eval()
    image = torch.rand(1, 1, 64, 64, requires_grad=True)
    network(image).sum().backward()
    for stage in ("layer1", "layer4"):
        assert next(network.backbone.get_submodule(stage).parameters()).grad.abs().sum() > 0
    assert image.grad.abs().sum() > 0
    assert last_features(network, 1).startswith("pyramid")


def test_a_network_without_convolution_has_no_features():
    with pytest.raises(SettingError):
        last_features(nn.Flatten(), 1)


def test_wrong_names_and_settings_are_refused():
    with pytest.raises(SettingError, match="densenet121"):
        classifier("densenet", 1, 2)
    with pytest.raises(SettingError, match="three channels"):
        classifier("densenet121", 1, 2, pretrained=True)
    with pytest.raises(SettingError, match="no published weights"):
        classifier("resnet18", 3, 2, pretrained=True)
    with pytest.raises(SettingError, match="dropout"):
        on_meta("resnet18", 1, 2, dropout=1.5)


def test_weights_that_cannot_be_fetched_are_told_of(monkeypatch):
    import monai.networks.nets.densenet as module

    def no_network(url, **_):
        raise URLError("no network")

    monkeypatch.setattr(module, "load_state_dict_from_url", no_network)
    with pytest.raises(NotFoundError, match=r"Fetch https://.*densenet121.*pth.*checkpoints/densenet121.*pth"):
        classifier("densenet121", 3, 2, pretrained=True)


def test_without_torchvision_its_network_is_refused(monkeypatch):
    monkeypatch.setattr("pipeline.networks.classifiers.by_name.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="pip install torchvision"):
        classifier("vgg19_bn", 3, 2)


def test_a_torchvision_for_another_torch_is_told_of(monkeypatch):
    """The package index has one that is linked to CUDA: beside a torch for processors its import fails."""
    monkeypatch.setattr("pipeline.networks.classifiers.by_name.find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(MissingExtraError, match="built for another torch"):
        classifier("vgg19_bn", 3, 2)


@pytest.mark.skipif(find_spec("torchvision") is None, reason="torchvision is not there")
def test_torchvisions_network():
    network = on_meta("vgg19_bn", 1, 2)
    assert network(torch.zeros(1, 1, 64, 64, device="meta")).shape == (1, 2)

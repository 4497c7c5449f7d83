"""The small network after COVID-Net: its long-range connections, its size, and that it learns."""

import pytest
import torch
from torch import nn

from pipeline.networks.classifiers import classifier, last_features
from pipeline.networks.classifiers.covid_net import BLOCKS, CovidNet, ProjectionExpansion, Stage


def test_a_block_projects_expands_filters_projects_and_extends():
    block = ProjectionExpansion(16, 32)
    convolutions = [module for module in block.modules() if isinstance(module, nn.Conv2d)]
    assert [(one.in_channels, one.out_channels, one.kernel_size[0], one.groups) for one in convolutions] == [
        (16, 8, 1, 1), (8, 16, 1, 1), (16, 16, 3, 16), (16, 8, 1, 1), (8, 32, 1, 1),
    ]  # fmt: skip


def test_each_block_sees_all_before_it_and_what_came_in():
    stage = Stage(8, 16, 3).eval()
    inputs, outputs = [], []
    for block in stage.blocks:
        block.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
        block.register_forward_hook(lambda *given: outputs.append(given[-1]))
    features = torch.rand(1, 8, 12, 12)
    with torch.no_grad():
        total = stage(features)
        past = stage.past(stage.halve(features))
    torch.testing.assert_close(inputs[1], past + outputs[0])
    torch.testing.assert_close(inputs[2], past + outputs[0] + outputs[1])
    torch.testing.assert_close(total, past + sum(outputs))


def test_it_is_small_and_its_attention_covers_all_that_it_judges_by():
    network = classifier("covid_net", 1, 3)
    assert isinstance(network, CovidNet)
    assert sum(1 for module in network.modules() if isinstance(module, ProjectionExpansion)) == sum(BLOCKS)
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(0.54e6, rel=0.02)
    assert last_features(network, 1) == "gather.0"


def test_it_learns():
    torch.manual_seed(0)
    network = CovidNet(1, 2, widths=(8, 8, 16, 16), blocks=(1, 1, 1, 1))
    images, labels = torch.rand(8, 1, 48, 48) * 0.2, torch.arange(8) % 2
    images[labels == 1, :, 10:30, 10:30] += 0.5
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(15):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.1

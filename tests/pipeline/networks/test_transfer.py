"""Weights of one task as the beginning of another."""

import pytest
import torch
from monai.networks.nets import UNet

from pipeline.networks import transfer_weights
from transforms.errors import NotFoundError, SettingError


def network(classes, channels=(4, 8)):
    return UNet(3, 1, classes, channels=channels, strides=[2], num_res_units=1, norm="instance")


@pytest.fixture
def four(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "four.pt"
    torch.save(network(4).state_dict(), path)
    return path


def test_the_same_classes_take_all(four):
    taken = transfer_weights(network(4), four).state_dict()
    for name, value in torch.load(four, weights_only=True).items():
        assert torch.equal(taken[name], value)


def test_other_classes_take_all_but_the_last_layer_and_say_so(four, caplog):
    caplog.set_level("INFO")
    fresh = network(2)
    before = {name: value.clone() for name, value in fresh.state_dict().items()}
    taken, old = transfer_weights(fresh, four).state_dict(), torch.load(four, weights_only=True)
    kept = [name for name in taken if torch.equal(taken[name], before[name]) and not name.endswith("adn.A.weight")]
    assert kept
    assert all(taken[name].shape != old[name].shape for name in kept)
    assert all(torch.equal(taken[name], old[name]) for name in taken if taken[name].shape == old[name].shape)
    for name in kept:
        assert any(name in record.message and "starts afresh" in record.message for record in caplog.records)


def test_weights_of_another_network_are_refused(four):
    with pytest.raises(SettingError, match="belong to another network"):
        transfer_weights(network(4, channels=(6, 12)), four)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(NotFoundError, match=r"nothing\.pt"):
        transfer_weights(network(4), tmp_path / "nothing.pt")

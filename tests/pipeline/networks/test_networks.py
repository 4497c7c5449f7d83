"""Networks: the named U-Net, which patch sizes a network takes, weights files."""

import pytest
import torch
from monai.networks.nets import UNet

from pipeline.networks import UNetELU, check_patch_size, file_hash, load_weights, output_channels
from transforms.errors import NotFoundError, SettingError, UnreadableError


def unet(out_channels=4):
    return UNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=out_channels,
        channels=(4, 8, 16),
        strides=(2, 2),
        num_res_units=2,
        norm="instance",
    )


def test_the_named_unet_has_its_number_of_parameters():
    assert sum(p.numel() for p in UNetELU(3, 1).parameters()) == 1_941_105


def test_the_named_unet_sees_the_whole_depth():
    network = UNetELU(3, 2).eval()
    image = torch.zeros(1, 3, 128, 128, requires_grad=True)
    network(image)[0, 0, 64, 64].backward()
    touched = (image.grad.abs().sum((0, 1)) > 0).nonzero()
    assert (touched.max(0).values - touched.min(0).values).min() > 60


def test_patch_sizes():
    assert check_patch_size(unet(), 1, [24, 32, 8]) == (24, 32, 8)
    with pytest.raises(SettingError, match=r"\[25, 32, 8\].*\[28, 32, 8\]"):
        check_patch_size(unet(), 1, [25, 32, 8])
    with pytest.raises(SettingError, match="not positive"):
        check_patch_size(unet(), 1, [0, 32, 8])


def test_strides_promise_no_more_than_the_network_takes(monkeypatch):
    def asked(size, network, in_channels=1):
        try:
            check_patch_size(network, in_channels, size)
        except SettingError:
            return False
        return True

    sizes = [(8, 8, 8), (12, 8, 4), (4, 4, 4), (6, 8, 8), (8, 8), (9, 9, 9)]
    told = [asked(size, unet()) for size in sizes]
    assert not asked((8, 8, 8), unet(), in_channels=2)
    monkeypatch.setattr("pipeline.networks.patch_size._promises", lambda *_: False)
    assert told == [asked(size, unet()) for size in sizes] == [True, True, False, False, False, False]


def test_a_network_whose_strides_say_it_is_not_asked(monkeypatch):
    monkeypatch.setattr("pipeline.networks.patch_size._takes", lambda *_: pytest.fail("asked"))
    assert check_patch_size(unet(), 1, [24, 32, 8]) == (24, 32, 8)


@pytest.mark.parametrize("network", [unet(3), UNetELU(3, 3)], ids=["unet", "elu"])
def test_weights_come_back(tmp_path, network):
    torch.save(network.state_dict(), tmp_path / "model.pt")
    assert output_channels(tmp_path / "model.pt") == 3
    other = unet(3) if isinstance(network, UNet) else UNetELU(3, 3)
    loaded = load_weights(other, tmp_path / "model.pt", sha256=file_hash(tmp_path / "model.pt"))
    assert not loaded.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name])


def test_wrong_weights_are_refused(tmp_path):
    torch.save(unet(3).state_dict(), tmp_path / "model.pt")
    with pytest.raises(SettingError, match="do not fit the network"):
        load_weights(unet(4), tmp_path / "model.pt")
    with pytest.raises(UnreadableError, match="SHA-256"):
        load_weights(unet(3), tmp_path / "model.pt", sha256="0" * 64)
    with pytest.raises(NotFoundError, match=r"none\.pt"):
        load_weights(unet(3), tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(UnreadableError, match=r"text\.pt"):
        load_weights(unet(3), tmp_path / "text.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(UnreadableError, match="no state dict"):
        output_channels(tmp_path / "list.pt")

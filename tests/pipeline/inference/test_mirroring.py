"""Mirrored views: each is turned back before the mean, so networks that know no side lose nothing."""

import pytest
import torch
from torch import nn

from pipeline.inference import PatchInferer, SlabInferer, mirrorings
from pipeline.inference.mirroring import averaged, check_views, mirrored
from transforms.errors import SettingError


def volume(shape=(20, 33, 17), channels=1):
    return torch.rand((1, channels, *shape), generator=torch.Generator().manual_seed(0))


def ramp(part):
    """What knows its place in the part: the index along each spatial axis, as channels."""
    size = part.shape[2:]
    grid = torch.stack(torch.meshgrid(*(torch.arange(float(n)) for n in size), indexing="ij"))
    return grid[None].expand(len(part), -1, *([-1] * len(size)))


def test_all_ways_to_mirror():
    assert len(mirrorings(3)) == 8
    assert len(set(mirrorings(3))) == 8
    assert mirrorings(3)[0] == ()
    assert mirrorings(2) == ((), (0,), (1,), (0, 1))


@pytest.mark.parametrize("view", mirrorings(3))
def test_a_view_is_turned_back(view):
    parts = [torch.rand(2, 3, 4, 5) for _ in range(3)]
    seen = list(mirrored(parts, (view,)))
    assert torch.equal(seen[0], parts[0].flip([axis + 1 for axis in view]))
    for out, part in zip(averaged(seen, (view,)), parts, strict=True):
        assert torch.equal(out, part)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_identity_network_gives_the_volume_back(overlap, dtype):
    image = volume(channels=2)
    inferer = PatchInferer((16, 16, 16), overlap=overlap, batch_size=3, precision="float32", flips=mirrorings(3))
    out = inferer(image, lambda parts: parts.to(dtype))
    torch.testing.assert_close(out, image, atol=1e-5 if dtype == torch.float32 else 1e-2, rtol=0)


def test_the_mean_over_all_views_knows_no_side():
    out = PatchInferer((16, 16, 16), overlap=0.5, precision="float32", flips=mirrorings(3))(volume((16,) * 3), ramp)
    torch.testing.assert_close(out, torch.full_like(out, 7.5))
    out = PatchInferer((16, 16, 16), precision="float32", flips=[[], [1]])(volume((16,) * 3), ramp)
    torch.testing.assert_close(out[0, 1], torch.full((16, 16, 16), 7.5))
    torch.testing.assert_close(out[0, [0, 2]], ramp(volume((16,) * 3))[0, [0, 2]])


def test_a_network_without_a_side_says_the_same():
    torch.manual_seed(0)
    network = nn.Conv3d(1, 3, 3, padding=1).eval()
    with torch.no_grad():
        for axis in (2, 3, 4):
            network.weight.copy_((network.weight + network.weight.flip(axis)) / 2)
    image = volume((20, 16, 16))
    plain = PatchInferer((16, 16, 16), precision="float32")(image, network)
    views = PatchInferer((16, 16, 16), precision="float32", flips=mirrorings(3))(image, network)
    torch.testing.assert_close(views, plain, atol=1e-5, rtol=1e-4)


def test_slices_are_mirrored_in_their_plane():
    image = volume((16, 32, 5))
    slabs = SlabInferer(3, precision="float32", flips=mirrorings(2), batch_size=3)
    middle = slabs(image, lambda parts: parts[:, 1:2])
    torch.testing.assert_close(middle, image)
    out = slabs(image, ramp)
    torch.testing.assert_close(out[0, 0], torch.full((16, 32, 5), 7.5))
    torch.testing.assert_close(out[0, 1], torch.full((16, 32, 5), 15.5))


def test_progress_counts_views():
    seen = []
    PatchInferer((16, 16, 16), flips=[[], [0]], progress=lambda done, total: seen.append((done, total)))(
        volume((20, 16, 16)), nn.Identity()
    )
    assert seen == [(done, 4) for done in range(1, 5)]


@pytest.mark.parametrize("flips", [[[3]], [[-1]], [[0, 0]]])
def test_axes_that_are_not_there_are_refused(flips):
    with pytest.raises(SettingError, match="flips"):
        PatchInferer((8, 8, 8), flips=flips)
    with pytest.raises(SettingError, match="flips"):
        SlabInferer(3, flips=[[2]])
    assert check_views([], 3) == ((),)

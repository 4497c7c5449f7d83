"""Patches in several looks: fewer where nothing is found, and the same answer where something is."""

import pytest
import torch
from monai.data import MetaTensor
from torch import nn

from pipeline.inference import PatchInferer
from pipeline.inference.looks import Looks
from pipeline.inference.placement import lattice
from transforms.grids import PatchLattice

SIZE = (16, 16, 16)


class Counted(nn.Module):
    """Says at each voxel how far it is above a half, against a background of 0; counts the parts it sees."""

    def __init__(self):
        super().__init__()
        self.parts = 0

    def forward(self, parts):
        self.parts += len(parts)
        # As a network's would, its answer depends on all of the patch.
        seen = parts - 0.5 + 0.01 * parts.mean((2, 3, 4), keepdim=True)
        return torch.cat([torch.zeros_like(seen), seen], 1)


def searched(image, placement, **settings):
    network = Counted()
    inferer = PatchInferer(SIZE, placement=placement, precision="float32", batch_size=2, **settings)
    return inferer(image, network).as_subclass(torch.Tensor), network.parts


def with_lesion(shape, *box):
    image = torch.zeros(1, 1, *shape)
    for start, stop in box:
        image[(0, 0, *(slice(first, last) for first, last in zip(start, stop, strict=True)))] = 1
    return image


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.8])
@pytest.mark.parametrize("shape", [(61, 37, 50), (40, 9, 33), (16, 16, 16), (5, 50, 20)])
def test_no_voxel_is_left_without_a_patch(shape, overlap):
    image = torch.full((1, 2, *shape), -1.0)
    image[:, 0] = torch.rand(shape, generator=torch.Generator().manual_seed(0))  # background leads everywhere
    out = PatchInferer(SIZE, overlap=overlap, precision="float32", placement="adaptive")(image, nn.Identity())
    torch.testing.assert_close(out, image, atol=1e-5, rtol=0)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_healthy_volume_takes_about_a_quarter_of_the_patches(activation):
    image = torch.zeros(1, 1, 80, 72, 64)
    _, every = searched(image, "lattice", activation=activation)
    _, few = searched(image, "adaptive", activation=activation)
    assert every == 9 * 8 * 7
    assert few <= 0.4 * every


@pytest.mark.parametrize("start", [(3, 3, 3), (20, 31, 12), (35, 22, 40), (60, 50, 45)])
def test_at_a_lesion_all_patches_have_their_say(start):
    stop = [first + size for first, size in zip(start, (9, 4, 12), strict=True)]
    image = with_lesion((80, 72, 64), (start, stop))
    every, count = searched(image, "lattice")
    some, fewer = searched(image, "adaptive")
    assert fewer < 0.6 * count
    lesion = image[0, 0] > 0
    assert torch.equal(some.argmax(1)[0] > 0, lesion)
    # What little weighs has not been asked: half a thousandth of a logit that is 0.5.
    torch.testing.assert_close(some[0, :, lesion], every[0, :, lesion], atol=1e-3, rtol=0)


def test_a_lesion_is_followed_as_far_as_it_reaches():
    shape = (112, 24, 24)
    image = with_lesion(shape, ((0, 4, 4), (112, 12, 12)))
    some, _ = searched(image, "adaptive")
    every, _ = searched(image, "lattice")
    lesion = image[0, 0] > 0
    torch.testing.assert_close(some[0, :, lesion], every[0, :, lesion], atol=1e-3, rtol=0)


def test_looks_go_on_until_nothing_more_is_found():
    patches = PatchLattice(patch_size=SIZE, overlap=0.5)
    shape = (80, 80, 80)
    places = lattice(shape, SIZE, 0.5)
    looks = Looks(places, patches, shape)
    nowhere = torch.zeros(shape, dtype=torch.bool)
    assert looks.next(nowhere) == []
    at_a_corner = nowhere.clone()
    at_a_corner[0, 0, 0] = True
    assert looks.next(at_a_corner) == []  # the corner's own patch is the first of all
    within = nowhere.clone()
    within[40, 44, 40] = True
    now = looks.next(within)
    assert now
    assert all(place[0].start <= 40 < place[0].stop and place[1].start <= 44 < place[1].stop for place in now)
    assert looks.next(within) == []
    rest = looks.next(torch.ones(shape, dtype=torch.bool))
    assert sorted(map(str, [*looks.first, *now, *rest])) == sorted(map(str, places))


def test_within_a_mask_only_its_patches_are_looked_at():
    image = with_lesion((80, 72, 64), ((20, 20, 20), (26, 26, 26)), ((60, 50, 40), (70, 60, 50)))
    mask = torch.zeros(1, 40, 36, 32)
    mask[0, 5:20, 5:20, 5:20] = 1
    found = MetaTensor(mask, affine=torch.diag(torch.tensor([2.0, 2.0, 2.0, 1.0])))
    image = MetaTensor(image, affine=torch.eye(4), meta={"found": found})
    every, count = searched(image, "lattice", within="found")
    some, fewer = searched(image, "adaptive", within="found")
    assert fewer < count
    assert torch.equal(some.argmax(1), every.argmax(1))
    assert not some.argmax(1)[0, 50:].any()


def test_progress_ends_where_its_total_is():
    seen = []
    image = with_lesion((80, 72, 64), ((20, 31, 12), (29, 35, 24)))
    out = searched(image, "adaptive", flips=[[], [0]], progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == list(range(1, out[1] + 1))
    assert all(done <= total for done, total in seen)
    assert seen[-1] == (out[1], out[1])

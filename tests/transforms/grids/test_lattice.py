"""A region is searched as it would be in the whole volume: same voxels, same patches, same logits."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from torch import nn

from pipeline.inference import PatchInferer
from pipeline.inference.placement import lattice
from transforms import NetworkInput
from transforms.errors import SettingError
from transforms.grids import NETWORK_BOX, NetworkLattice, PatchLattice, ToNetworkGridd, resample
from transforms.grids.grid import Grid
from transforms.grids.region import SEARCHED, _cropped

SIZE = (16, 16, 16)


def chest(shape=(90, 80, 70), spacing=(4.0, 4.0, 5.0), flipped=True):
    """Air, a body, and two lungs in it."""
    affine = np.diag([*spacing, 1.0])
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
    hu = np.full(shape, -1000, dtype=np.int16)
    hu[(x / 0.8) ** 2 + (y / 0.7) ** 2 < 1] = 30
    for side in (-0.38, 0.38):
        lung = ((x - side) / 0.26) ** 2 + (y / 0.42) ** 2 + (z / 0.6) ** 2 < 1
        hu[lung] = -850 + (10 * np.sin(9 * x) * np.cos(7 * z))[lung].astype(np.int16)
    if flipped:
        hu, affine = (
            hu[::-1, :, ::-1].copy(),
            affine @ np.array([[-1, 0, 0, shape[0] - 1], [0, 1, 0, 0], [0, 0, -1, shape[2] - 1], [0, 0, 0, 1]]),
        )
    meta = {"spatial_shape": shape, "original_affine": affine}
    return MetaTensor(torch.from_numpy(hu)[None], affine=torch.from_numpy(affine), meta=meta)


def prepared(region, patches, volume):
    steps = NetworkInput(spacing_mm=(5.0, 4.5, 6.0), region=region, margin_mm=12.0, patches=patches).steps(
        lungs_key="lungs"
    )
    data = {"image": volume}
    for step in steps:
        data = step(data)
    return data["image"]


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize(("overlap", "min_weight"), [(0.25, 0.02), (0.5, 0.02), (0.5, 0.5), (0.5, 1e-9)])
def test_a_region_says_what_the_whole_volume_says(flipped, overlap, min_weight):
    patches = {"patch_size": SIZE, "overlap": overlap, "min_weight": min_weight}
    volume = chest(flipped=flipped)
    part, whole = prepared("lungs", patches, volume), prepared("all", None, volume)
    box = part.meta[NETWORK_BOX]
    inside = tuple(slice(a, b) for a, b in zip(box["start"], box["stop"], strict=True))
    assert box["shape"] == list(whole.shape[1:])
    assert part.numel() < whole.numel()
    torch.testing.assert_close(part.as_tensor(), whole.as_tensor()[(slice(None), *inside)], atol=2e-3, rtol=0)

    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv3d(1, 8, 3, padding=1), nn.InstanceNorm3d(8), nn.PReLU(), nn.Conv3d(8, 2, 3, padding=1)
    )
    fast = PatchInferer(SIZE, overlap=overlap, min_weight=min_weight, precision="float32", within=SEARCHED)
    seen = []
    fast.progress = lambda done, total: seen.append(total)
    found = fast(part[None], network.eval()).as_tensor()[0]
    expected = PatchInferer(SIZE, overlap=overlap, precision="float32")(whole[None], network).as_tensor()[0]
    expected = expected[(slice(None), *inside)]
    mask = part.meta[SEARCHED]
    lungs = resample(mask, Grid.of(mask), Grid.of(part), mode="nearest")[0]
    assert lungs.sum() > 500
    error = (found - expected)[:, lungs].abs() / expected.std()
    if min_weight < 0.01:
        assert error.max() < 0.02  # resampled from a crop, voxels differ in the fourth decimal
    assert error.mean() < (0.005 if min_weight < 0.1 else 0.03)  # patches that hardly weigh are left out
    assert (found.argmax(0) == expected.argmax(0))[lungs].float().mean() > 0.995
    assert seen[0] < len(lattice(whole.shape[1:], SIZE, overlap))


@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("min_weight", [0.02, 0.5, 1.0])
def test_every_voxel_is_in_the_core_of_a_patch(overlap, min_weight):
    patches = PatchLattice(patch_size=(16, 12, 40), overlap=overlap, min_weight=min_weight)
    shape = (50, 12, 33)
    covered = np.zeros(shape, dtype=bool)

    def note(ranges):
        covered[tuple(slice(*side) for side in ranges)] = True
        return True

    assert len(patches.chosen(shape, note)) == np.prod([len(starts) for starts in patches.starts(shape)])
    assert covered.all()


def test_a_patch_without_a_say_does_not_count():
    patches = PatchLattice(patch_size=(96,), overlap=0.5)
    near_20 = patches.chosen((240,), lambda ranges: ranges[0][0] <= 20 < ranges[0][1])
    near_70 = patches.chosen((240,), lambda ranges: ranges[0][0] <= 70 < ranges[0][1])
    assert near_20 == [(0,)]
    assert near_70 == [(0,), (48,)]
    assert patches.around(((20, 71),), (240,)) == ((0, 144),)


@pytest.mark.parametrize("numbers", [{"overlap": 1.0}, {"min_weight": 0.0}, {"min_weight": 1.1}])
def test_numbers_out_of_range_are_refused(numbers):
    with pytest.raises(SettingError, match=next(iter(numbers))):
        PatchLattice(**{"patch_size": SIZE, "overlap": 0.5, **numbers})


def test_with_a_higher_least_weight_fewer_patches_count():
    at = [
        PatchLattice(patch_size=(96,), overlap=0.5, min_weight=weight).chosen(
            (240,), lambda ranges: ranges[0][0] <= 80 < ranges[0][1]
        )
        for weight in (0.02, 0.5, 1.0)
    ]
    assert at == [[(0,), (48,)], [(48,)], [(48,)]]


def test_a_cropped_volume_gets_a_part_of_the_whole_grid():
    volume = chest()
    to_grid = ToNetworkGridd("image", (5.0, 4.5, 6.0))
    whole = to_grid({"image": volume})["image"]
    part = to_grid({"image": _cropped(volume, (7, 11, 13), (60, 51, 44), {})})["image"]
    box = part.meta[NETWORK_BOX]
    inside = tuple(slice(a, b) for a, b in zip(box["start"], box["stop"], strict=True))
    torch.testing.assert_close(part.as_tensor(), whole.as_tensor()[(slice(None), *inside)], atol=0.3, rtol=0)
    np.testing.assert_allclose(Grid.of(part).affine, Grid.of(whole).cropped(box["start"], box["stop"]).affine)


def test_the_box_of_patches_is_within_the_volume():
    grid = Grid.of(chest())
    patches = PatchLattice(patch_size=SIZE, overlap=0.5)
    around = NetworkLattice(patches=patches, spacing_mm=(5.0, 4.5, 6.0), orientation="RAS")
    start, stop = around.around((40, 30, 30), (50, 44, 38), grid)
    assert all(0 <= a <= b <= c for a, b, c in zip(start, (40, 30, 30), (50, 44, 38), strict=True))
    assert all(a <= b <= c for a, b, c in zip((50, 44, 38), stop, grid.shape, strict=True))


@pytest.mark.parametrize("slices", range(66, 72))
@pytest.mark.parametrize("spacing", [4.4, 4.8])
def test_a_region_that_reaches_the_end_has_the_last_voxel_of_the_whole_grid(slices, spacing):
    """It may lie beyond the volume; without it, the last patches of the lattice would be cut off."""
    volume = chest(shape=(30, 28, slices), flipped=slices % 2 == 0)
    to_grid = ToNetworkGridd("image", (5.0, 4.5, spacing))
    whole = to_grid({"image": volume})["image"]
    part = to_grid({"image": _cropped(volume, (4, 0, 30), (30, 20, slices), {})})["image"]
    box = part.meta[NETWORK_BOX]
    flipped = slices % 2 == 0
    assert (box["start"][2] == 0) if flipped else (box["stop"][2] == whole.shape[3])
    inside = tuple(slice(a, b) for a, b in zip(box["start"], box["stop"], strict=True))
    torch.testing.assert_close(part.as_tensor(), whole.as_tensor()[(slice(None), *inside)], atol=0.3, rtol=0)

"""Grids: orientation and spacing in one resampling agree with MONAI; restoring puts every voxel back."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Orientationd, Spacingd

from transforms.errors import GeometryError, SettingError
from transforms.grids import (
    Grid,
    RestoreLabelMapd,
    ToNetworkGridd,
    network_grid,
    resample,
    resampling,
    restore_label_map,
    restore_mask,
)


def rotation(degrees: float) -> np.ndarray:
    a = np.deg2rad(degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    return about_x @ about_z


def affine(spacing=(1, 1, 1), origin=(0, 0, 0), axes=(0, 1, 2), signs=(1, 1, 1), degrees=0.0) -> np.ndarray:
    matrix = np.eye(4)
    linear = np.zeros((3, 3))
    for index_axis, world_axis in enumerate(axes):
        linear[world_axis, index_axis] = signs[index_axis] * spacing[index_axis]
    matrix[:3, :3] = rotation(degrees) @ linear
    matrix[:3, 3] = origin
    return matrix


AFFINES = {
    "ras": affine((0.7, 0.8, 2.5), (-100, -90, -300)),
    "lps": affine((0.7, 0.8, 2.5), (120, 110, -40), signs=(-1, -1, 1)),
    "sagittal": affine((0.9, 0.8, 1.7), (3, 4, 5), axes=(1, 2, 0), signs=(-1, 1, -1)),
    "coronal": affine((1.9, 0.8, 2.2), (3, 4, 5), axes=(0, 2, 1), signs=(1, -1, 1)),
    "oblique": affine((0.7, 0.8, 2.5), (-100, -90, -300), signs=(-1, -1, 1), degrees=17),
}


def smooth_volume(shape, matrix, seed=0) -> MetaTensor:
    """A linear function of world coordinates plus texture, so any misplacement shows."""
    generator = np.random.default_rng(seed)
    voxels = generator.normal(0, 100, shape).astype(np.float32)
    meta = {"original_affine": matrix, "spatial_shape": np.array(shape)}
    return MetaTensor(torch.from_numpy(voxels)[None], affine=torch.from_numpy(matrix), meta=meta)


@pytest.mark.parametrize("name", AFFINES)
def test_network_grid_and_values_equal_monai(name):
    volume = smooth_volume((23, 31, 17), AFFINES[name])
    stock = Compose(
        [
            Orientationd("image", axcodes="RAS", labels=None),
            Spacingd("image", pixdim=(1.5, 1.5, 1.5), mode="bilinear", padding_mode="border"),
        ]
    )({"image": volume})["image"]
    ours = ToNetworkGridd("image", (1.5, 1.5, 1.5))({"image": volume})["image"]
    assert ours.shape == stock.shape
    torch.testing.assert_close(ours.affine, stock.affine, atol=1e-4, rtol=0)
    torch.testing.assert_close(ours.as_tensor(), stock.as_tensor(), atol=0.05, rtol=0)


def test_a_spacing_of_none_keeps_the_slices():
    volume = smooth_volume((20, 20, 9), AFFINES["lps"])
    moved = ToNetworkGridd("image", (1.4, 1.6, None))({"image": volume})["image"]
    assert moved.shape[1:] == (10, 10, 9)
    np.testing.assert_allclose(Grid.of(moved).spacing_mm, (1.4, 1.6, 2.5))


def test_linear_values_stay_linear_in_the_patient():
    matrix = AFFINES["sagittal"]
    grid = Grid(shape=(12, 14, 16), affine=matrix)
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), -1)
    world = index @ matrix[:3, :3].T + matrix[:3, 3]
    volume = torch.from_numpy(world @ np.array([1.0, 2.0, -3.0]))[None]
    target = network_grid(grid, (2.125, 1.125, 1.0))
    out = resample(volume, grid, target, dtype=torch.float64)
    inner = np.stack(np.meshgrid(*map(np.arange, target.shape), indexing="ij"), -1)
    expected = (inner @ target.affine[:3, :3].T + target.affine[:3, 3]) @ np.array([1.0, 2.0, -3.0])
    np.testing.assert_allclose(out[0, 1:-1, 1:-1, 1:-1], expected[1:-1, 1:-1, 1:-1], atol=1e-9)


@pytest.mark.parametrize("name", AFFINES)
def test_restoring_on_the_same_grid_gives_the_classes_back(name):
    matrix = AFFINES[name]
    native = Grid(shape=(11, 13, 7), affine=matrix)
    label_map = torch.from_numpy(np.random.default_rng(1).integers(0, 4, native.shape)).long()
    turned = network_grid(native, (None, None, None))
    logits = torch.nn.functional.one_hot(label_map, 4).permute(3, 0, 1, 2).float() * 10
    on_network = resample(logits, native, turned)
    restored = restore_label_map(on_network, turned, native)
    assert restored.dtype == torch.uint8
    assert torch.equal(restored[0].long(), label_map)


def test_restoring_equals_interpolating_everything_at_once():
    matrix = AFFINES["lps"]
    native = Grid(shape=(40, 41, 23), affine=matrix)
    network = network_grid(native, (1.5, 1.5, 1.5))
    logits = torch.randn((3, *network.shape), generator=torch.Generator().manual_seed(0))
    everything = resample(logits.softmax(0), network, native).argmax(0)
    restored = restore_label_map(logits, network, native)[0]
    assert (restored == everything).float().mean() > 0.9999


def test_outside_of_a_cropped_network_grid_is_background(monkeypatch):
    monkeypatch.setattr("transforms.grids.restoring.SLAB_VOXELS", 500)
    native = Grid(shape=(20, 20, 20), affine=AFFINES["lps"])
    part = native.cropped((5, 6, 7), (15, 14, 12))
    logits = torch.zeros((2, *part.shape))
    logits[1] = 5
    restored = restore_label_map(logits, part, native)[0]
    expected = torch.zeros(native.shape, dtype=torch.uint8)
    expected[5:15, 6:14, 7:12] = 1
    assert torch.equal(restored, expected)


def test_sigmoid_and_merged_channels():
    native = Grid(shape=(4, 4, 4), affine=np.eye(4))
    logits = torch.full((1, 4, 4, 4), -2.0)
    logits[0, 0] = 2
    assert torch.equal(
        restore_label_map(logits, native, native, activation="sigmoid")[0, :, 0, 0], torch.tensor([1, 0, 0, 0]).byte()
    )
    shares = torch.tensor([0.4, 0.35, 0.25, 0.0]).log().reshape(4, 1, 1, 1).expand(4, 4, 4, 4)
    assert restore_label_map(shares, native, native).max() == 0
    assert restore_label_map(shares, native, native, merge=[[0], [1, 2, 3]]).min() == 1


def test_the_transform_merges_only_what_fits():
    image = smooth_volume((6, 6, 6), np.eye(4))
    transform = RestoreLabelMapd("pred", {"background": 0, "lesion": 1}, merge=[[0], [1, 2, 3]])
    for channels in (2, 4):
        logits = torch.zeros((channels, 6, 6, 6))
        logits[-1] = 1
        assert transform({"image": image, "pred": logits})["pred"].min() == 1
    with pytest.raises(SettingError, match="3 channels for 2 classes"):
        transform({"image": image, "pred": torch.zeros((3, 6, 6, 6))})


def test_a_coarse_mask_comes_back_where_it_was():
    native = Grid(shape=(60, 60, 30), affine=AFFINES["lps"])
    coarse = network_grid(native, (4, 4, 4))
    mask = torch.zeros((1, *coarse.shape), dtype=torch.uint8)
    mask[0, 2:6, 2:6, 4:12] = 1
    mask[0, 7:10, 2:6, 4:12] = 2
    restored = restore_mask(mask, coarse.affine, native.affine, native.shape)
    back = resample(restored, native, coarse, mode="nearest")
    assert (back == mask).float().mean() > 0.98
    assert set(torch.unique(restored).tolist()) == {0, 1, 2}


def test_grids_that_do_not_share_axes_are_refused():
    straight = Grid(shape=(10, 10, 10), affine=np.eye(4))
    turned = Grid(shape=(10, 10, 10), affine=AFFINES["oblique"])
    with pytest.raises(GeometryError, match="do not share their axes"):
        resample(torch.zeros((1, 10, 10, 10)), straight, turned)


@pytest.mark.parametrize("spacing", [(0, 1, 1), (1, 1), (1, -2, 1)])
def test_an_impossible_spacing_is_refused(spacing):
    with pytest.raises(SettingError, match="spacing_mm"):
        ToNetworkGridd("image", spacing)


def test_an_impossible_orientation_is_refused():
    with pytest.raises(SettingError, match="RAR"):
        ToNetworkGridd("image", (1, 1, 1), orientation="RAR")


@pytest.mark.parametrize("dtype", [torch.int16, torch.float32])
def test_resampling_in_pieces_gives_the_same(dtype, monkeypatch):
    volume = torch.arange(2 * 23 * 31 * 17).mul(7919).remainder(1000).view(2, 23, 31, 17).to(dtype).permute(0, 2, 1, 3)
    source = Grid(shape=(31, 23, 17), affine=np.diag([0.8, 0.7, 1.2, 1.0]))
    target = network_grid(source, (1.5, 1.1, 0.9))
    whole = resample(volume, source, target)
    monkeypatch.setattr(resampling, "PIECE_VOXELS", 100)
    torch.testing.assert_close(resample(volume, source, target), whole, rtol=1e-6, atol=1e-3)


def test_parts_of_a_volume_are_resampled_without_copies_of_all_of_it(monkeypatch):
    """Voxels of a crop do not lie in one piece; `index_select` would copy them all for every few slices."""
    monkeypatch.setattr(resampling, "PIECE_VOXELS", 2**15)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)  # in this thread, which is looked at
    whole = torch.randint(-1000, 1000, (1, 400, 80, 80), dtype=torch.int16)
    part = whole[:, :, 10:70, 5:75]
    source = Grid(shape=(400, 60, 70), affine=np.eye(4))
    target = Grid(shape=(200, 40, 35), affine=np.diag([1.9, 1.4, 2.0, 1.0]))
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=True) as profile:
        found = resample(part, source, target)
    largest = max(
        shape.numel()
        for event in profile.events()
        for shape in map(torch.Size, event.input_shapes[:1])
        if event.name == "aten::copy_"
    )
    assert largest < part.numel() / 4
    torch.testing.assert_close(found, resample(part.contiguous(), source, target))

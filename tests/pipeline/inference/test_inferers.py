"""Inferers: an identity network gives the volume back; 2.5D equals a loop; both equal MONAI where it has the same."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SlidingWindowInferer
from torch import nn

from pipeline.inference import PatchInferer, SlabInferer, resolve, select_device
from pipeline.inference.placement import lattice
from pipeline.networks import UNetELU
from transforms.errors import SettingError
from transforms.slabs import ToSlabd, axial_slabs

SHAPES = [(40, 33, 27), (8, 50, 5), (16, 16, 16), (1, 1, 1), (17, 31, 64)]


def volume(shape, channels=1, batch=1):
    return torch.rand((batch, channels, *shape), generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.8])
def test_identity_network_gives_the_volume_back(shape, overlap):
    image = volume(shape, channels=2, batch=2)
    inferer = PatchInferer((16, 16, 16), overlap=overlap, batch_size=3, precision="float32")
    torch.testing.assert_close(inferer(image, nn.Identity()), image, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_patches_are_blended_as_monai_does(shape):
    torch.manual_seed(0)
    network = nn.Conv3d(1, 3, 5, padding=2)
    image = volume(shape)
    stock = SlidingWindowInferer((16, 16, 16), overlap=0.5, mode="gaussian")
    ours = PatchInferer((16, 16, 16), overlap=0.5, precision="float32")
    with torch.no_grad():
        torch.testing.assert_close(ours(image, network), stock(image, network), atol=1e-5, rtol=1e-4)


def masked(shape, seed):
    """A volume whose meta holds a few scattered boxes on a grid of half the resolution."""
    generator = np.random.default_rng(seed)
    coarse = np.zeros([-(-size // 2) for size in shape], dtype=np.uint8)
    for corner in generator.integers(0, coarse.shape, (3, 3)):
        coarse[tuple(slice(start, start + 3) for start in corner)] = 2
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    mask = MetaTensor(torch.from_numpy(coarse)[None], affine=torch.from_numpy(affine))
    fine = np.repeat(np.repeat(np.repeat(coarse, 2, 0), 2, 1), 2, 2)[tuple(map(slice, shape))] > 0
    return MetaTensor(volume(shape, channels=2), affine=torch.eye(4), meta={"found": mask}), torch.from_numpy(fine)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("half", [False, True])
def test_identity_network_with_gaps_between_patches(seed, overlap, half):
    image, inside = masked((61, 37, 50), seed)
    seen = []
    inferer = PatchInferer(
        (16, 16, 16),
        overlap=overlap,
        batch_size=3,
        precision="float32",
        half=half,
        within="found",
        progress=lambda done, total: seen.append(total),
    )
    out = inferer(image, nn.Identity()).as_tensor()
    assert out.dtype == (torch.float16 if half else torch.float32)
    by_patch = (out - image.as_tensor()).abs().amax(1)[0] <= (3e-3 if half else 1e-5)
    nowhere = (out[0, 0] == 20) & (out[0, 1] == 0)
    assert by_patch[inside].all()
    assert torch.equal(by_patch, ~nowhere)
    assert nowhere.any()
    assert seen[-1] < len(lattice(image.shape[2:], (16, 16, 16), overlap))


def test_without_a_background_channel_nothing_is_said_where_no_patch_lies():
    image, inside = masked((61, 37, 50), 1)
    out = PatchInferer((16, 16, 16), precision="float32", within="found", activation="sigmoid")(image, nn.Identity())
    nowhere = (out.as_tensor() == -10).all(1)[0]
    assert nowhere.any()
    assert not nowhere[inside].any()


@pytest.mark.parametrize("shape", [(61, 37, 50), (40, 9, 33)])  # the second is thinner than a patch
@pytest.mark.parametrize("sides", [(0, 0, 0), (-1, -1, -1), (0, -1, 0), (-1, 0, -1)])
def test_a_mask_at_the_border_is_searched_to_its_last_voxel(shape, sides):
    image, _ = masked(shape, 0)
    mask = torch.zeros_like(image.meta["found"].as_tensor())
    mask[(0, *sides)] = 1
    image.meta["found"] = MetaTensor(mask, affine=image.meta["found"].affine)
    out = PatchInferer((16, 16, 16), precision="float32", within="found")(image, nn.Identity()).as_tensor()
    corner = (0, slice(None), *sides)
    torch.testing.assert_close(out[corner], image.as_tensor()[corner], atol=1e-5, rtol=0)
    middle = tuple(size // 2 if size > 32 else 0 for size in shape)
    assert out[(0, 0, *middle)] == 20  # background: nothing is searched there


@pytest.mark.parametrize("shape", [(40, 33, 27), (8, 50, 5)])
def test_an_empty_mask_or_none_searches_everything(shape):
    image, _ = masked(shape, 0)
    everything = PatchInferer((16, 16, 16), precision="float32")(image, nn.Identity())
    image.meta["found"] = MetaTensor(torch.zeros_like(image.meta["found"]), affine=image.meta["found"].affine)
    for key in ("found", "absent"):
        out = PatchInferer((16, 16, 16), precision="float32", within=key)(image, nn.Identity())
        assert torch.equal(out.as_tensor(), everything.as_tensor())


def test_meta_stays_and_progress_is_told():
    seen = []
    image = MetaTensor(volume((20, 20, 20)), meta={"case": "a"})
    out = PatchInferer((16, 16, 16), progress=lambda done, all_: seen.append((done, all_)))(image, nn.Identity())
    assert isinstance(out, MetaTensor)
    assert out.meta["case"] == "a"
    assert seen == [(done, 8) for done in range(1, 9)]


@pytest.mark.parametrize("slices", [1, 3, 5])
@pytest.mark.parametrize("shape", [(33, 48, 7), (16, 20, 1), (50, 17, 12)])
def test_slabs_equal_a_plain_loop(slices, shape):
    torch.manual_seed(0)
    network = UNetELU(2 * slices, 4, channels=(4, 8), dropout=(0, 0)).eval()
    image = volume(shape, channels=2)
    out = SlabInferer(slices, batch_size=3, multiple_of=2, precision="float32")(image, network)
    assert out.shape == (1, 4, *shape)
    padded = nn.functional.pad(image[0], (0, 0, 0, -shape[1] % 2, 0, -shape[0] % 2))  # at most one pixel: behind
    for z in range(shape[2]):
        near = [min(max(z + d, 0), shape[2] - 1) for d in range(-(slices // 2), slices // 2 + 1)]
        slab = torch.stack([padded[c, :, :, n] for c in range(2) for n in near])
        with torch.no_grad():
            expected = network(slab[None])[0, :, : shape[0], : shape[1]]
        torch.testing.assert_close(out[0, ..., z], expected, atol=1e-5, rtol=1e-4)


def test_small_slices_lie_in_the_middle_of_a_patch_of_training():
    seen = []
    image = volume((10, 21, 4))
    out = SlabInferer(1, patch_size=(16, 16), multiple_of=8, precision="float32", padding_value=-1)(
        image, lambda part: seen.append(part) or part
    )
    (part,) = seen
    assert part.shape == (4, 1, 16, 24)
    expected = nn.functional.pad(image[0].permute(3, 0, 1, 2), (1, 2, 3, 3), value=-1)
    torch.testing.assert_close(part, expected)
    torch.testing.assert_close(out, image)


def test_slabs_are_views_of_one_copy():
    image = volume((12, 10, 9))[0]
    slabs = axial_slabs(image, 5)
    assert slabs.untyped_storage().nbytes() == (9 + 4) * 12 * 10 * 4
    assert torch.equal(slabs[4, 0, 2], image[0, :, :, 4])


def test_the_training_slab_is_the_inference_slab():
    image = volume((12, 10, 9))[0]
    cut = ToSlabd("image", "label")({"image": image[..., 3:6], "label": image[..., 3:6].round()})
    assert torch.equal(cut["image"], axial_slabs(image, 3)[4].flatten(0, 1))
    assert torch.equal(cut["label"], image[..., 4].round())


@pytest.mark.parametrize(
    "make",
    [
        lambda: SlabInferer(4),
        lambda: SlabInferer(0),
        lambda: PatchInferer((8, 8, 8), overlap=1.0),
        lambda: resolve("half", torch.device("cpu")),
    ],
)
def test_impossible_settings_are_refused(make):
    with pytest.raises(SettingError):
        make()


def test_devices_are_named():
    assert select_device("cpu").type == "cpu"
    assert select_device("auto").type in ("cpu", "cuda")
    for name in ("cuda:99", "tpu", "cuda:x"):
        with pytest.raises(SettingError, match=name):
            select_device(name)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_patches_run_on_cuda_from_a_volume_in_host_memory():
    image = volume((40, 33, 27))
    out = PatchInferer((16, 16, 16), device="cuda")(image, nn.Identity())
    assert out.device.type == "cuda"
    torch.testing.assert_close(out.cpu(), image, atol=1e-3, rtol=0)

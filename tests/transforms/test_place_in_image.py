"""The place in the image: known depths, parts of an image, images cut again, and one way in training and inference."""

import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from transforms import AddPlaceInImaged, NetworkInput, RandCutMarginsd, inference_chain, training_chain
from transforms.errors import SettingError
from transforms.grids.network_grid import NETWORK_BOX, cut_box

CLASSES = {"background": 0, "one": 1}
SETTINGS = {
    "spacing_mm": (2.0, 2.0, 4.0), "region": "all", "windows": [{"low": -1000, "high": 300}], "place_margin_mm": 20.0,
}  # fmt: skip


def depths(shape, spacing, margin_mm, box=None):
    affine = torch.diag(torch.tensor([-spacing[0], *spacing[1:], 1.0], dtype=torch.float64))
    volume = MetaTensor(torch.zeros((1, *shape)), affine=affine, meta={} if box is None else {NETWORK_BOX: box})
    return AddPlaceInImaged("image", margin_mm)({"image": volume})["place_in_image"]


def test_in_a_ball_a_voxel_is_as_deep_as_its_distance_to_the_surface():
    # 200 mm to each side, 50 mm of margin: a ball of 50 mm around the centre, on an anisotropic grid.
    depth = depths((100, 50, 40), (2.0, 4.0, 5.0), 50.0)
    assert depth.shape == (1, 100, 50, 40)
    assert depth.dtype == torch.float32
    centres = [(np.arange(n) + 0.5) * step - 100 for n, step in ((100, 2.0), (50, 4.0), (40, 5.0))]
    distance = np.sqrt(sum(grid**2 for grid in np.meshgrid(*centres, indexing="ij")))
    np.testing.assert_allclose(depth[0].numpy(), np.clip((50 - distance) / 20, -2, 2) + 2, atol=1e-4)
    assert depth.max() == 4
    assert depth.min() == 0


def test_an_ellipsoid_touches_the_margin_on_every_side():
    # 160 x 120 x 240 mm with 20 mm of margin: half axes of 60, 40 and 100 mm.
    depth = depths((160, 120, 80), (1.0, 1.0, 3.0), 20.0)[0]
    surface = [depth[19:21, 59:61, 39:41], depth[79:81, 19:21, 39:41]]
    for across in surface:
        assert across.min() < 2 < across.max()
    assert depth[80, 60, 6] < 2 < depth[80, 60, 7]
    torch.testing.assert_close(depth, depth.flip((0, 1, 2)))


def test_an_image_without_room_keeps_a_small_ellipsoid():
    depth = depths((20, 20, 20), (2.0, 2.0, 2.0), 50.0)[0]
    assert depth[10, 10, 10] > 2
    assert depth[0, 0, 0] < 2


def test_a_part_of_an_image_lies_where_it_lies_in_the_whole():
    whole = depths((40, 30, 20), (2.0, 2.0, 4.0), 15.0)
    box = {"start": [5, 0, 3], "stop": [25, 30, 11], "shape": [40, 30, 20]}
    assert torch.equal(depths((20, 30, 8), (2.0, 2.0, 4.0), 15.0, box), whole[:, 5:25, :, 3:11])


def test_a_cut_side_is_where_the_image_ends():
    box = {"start": [5, 0, 3], "stop": [25, 30, 11], "shape": [40, 30, 20]}
    assert cut_box(box, [0, 2, 4], [20, 30, 7]) == {"start": [5, 0, 0], "stop": [25, 28, 3], "shape": [40, 28, 3]}
    assert cut_box(box, [0, 0, 0], [20, 30, 8]) == box


def test_an_image_that_was_cut_has_the_place_of_what_is_left():
    label = torch.zeros((1, 40, 30, 20))
    label[0, 16:24, 10:20, 8:12] = 1
    affine = torch.diag(torch.tensor([2.0, 2.0, 4.0, 1.0], dtype=torch.float64))
    box = {"start": [0, 0, 0], "stop": [40, 30, 20], "shape": [40, 30, 20]}
    pair = {key: MetaTensor(label.clone(), affine=affine, meta={NETWORK_BOX: dict(box)}) for key in ("image", "label")}
    cutting = RandCutMarginsd(["image", "label"], prob=1.0)
    cutting.set_random_state(seed=3)
    cut = AddPlaceInImaged("image", 15.0)(cutting(dict(pair)))
    shape = tuple(cut["image"].shape[1:])
    assert shape != (40, 30, 20)
    assert torch.equal(cut["place_in_image"], depths(shape, (2.0, 2.0, 4.0), 15.0))
    assert pair["image"].meta[NETWORK_BOX] == box, "what is cached stays as it is"


@pytest.fixture
def case(tmp_path):
    """A CT with a body within air and a lesion, on an LPS grid."""
    hu = np.full((44, 40, 22), -1000, dtype=np.int16)
    hu[6:40, 6:34, 1:21] = 40
    label = np.zeros(hu.shape, dtype=np.uint8)
    label[16:26, 14:26, 8:14] = 1
    affine = np.diag([-2.0, -2.0, 4.0, 1.0])
    for name, array in (("image", hu), ("label", label)):
        nibabel.save(nibabel.Nifti1Image(array, affine), tmp_path / f"{name}.nii.gz")
    return {"case": "block", "image": str(tmp_path / "image.nii.gz"), "label": str(tmp_path / "label.nii.gz")}


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize("region", ["all", "body"])
def test_a_training_patch_has_the_depths_of_inference(case, region, deferred):
    settings = {**SETTINGS, "region": region, "margin_mm": 8.0, "field_of_view": True}
    whole = inference_chain({**SETTINGS, "field_of_view": True})(dict(case))["image"]
    assert whole.shape == (3, 44, 40, 22)
    chain = training_chain(
        settings, classes=CLASSES, patch_size=(16, 16, 8), flip_axes=(), intensity=False, deferred=deferred
    )
    chain.set_random_state(seed=2)
    out = chain(dict(case))
    patch = out["patch"].sample() if deferred else out
    if deferred:
        patch["image"] = torch.cat([patch[key] for key in ("image", "field_of_view", "place_in_image")])
    assert patch["image"].shape == (3, 16, 16, 8)
    # The place of a straight patch is where the depths and the HU agree with those of the whole image.
    windows = whole.as_tensor().unfold(1, 16, 1).unfold(2, 16, 1).unfold(3, 8, 1)
    difference = (windows - patch["image"].as_subclass(torch.Tensor)[:, None, None, None]).abs().amax((0, 4, 5, 6))
    assert difference.min() < 0.02


def test_the_body_alone_is_told_its_place_in_the_whole_image(case):
    whole = inference_chain(SETTINGS)(dict(case))["image"]
    body = inference_chain({**SETTINGS, "region": "body", "margin_mm": 4.0})(dict(case))["image"]
    start, stop = (body.meta[NETWORK_BOX][end] for end in ("start", "stop"))
    assert body.shape[1:] != whole.shape[1:]
    part = whole[(slice(None), *(slice(a, b) for a, b in zip(start, stop, strict=True)))]
    assert torch.equal(body.as_tensor(), part.as_tensor())


def test_the_network_has_a_channel_for_it():
    assert NetworkInput.of(SETTINGS).channels() == 2
    assert NetworkInput.of({**SETTINGS, "field_of_view": True}).channels() == 3
    assert NetworkInput.of({**SETTINGS, "place_margin_mm": None}).channels(slices=3) == 3
    with pytest.raises(SettingError, match="slabs have no channel"):
        NetworkInput.of(SETTINGS).channels(slices=3)
    with pytest.raises(SettingError, match="slabs have no channel"):
        training_chain(SETTINGS, classes=CLASSES, patch_size=(16, 16), slices=3)


@pytest.mark.parametrize("margin_mm", [-1.0, float("nan"), float("inf")])
def test_a_margin_that_is_none_is_refused(margin_mm):
    with pytest.raises(SettingError, match="place_margin_mm"):
        AddPlaceInImaged("image", margin_mm)

"""The region of interest: what is found, what is cropped, and what is said when there is nothing."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from transforms.errors import SettingError
from transforms.grids import Grid, RegionOfInterestd, ToNetworkGridd


def chest(signs=(-1.0, -1.0, 1.0), lungs=True):
    """A body of tissue with two lungs of air in it, 2.5 mm voxels, in any orientation of its axes."""
    shape = (140, 110, 90)
    x, y, z = (np.arange(n) - (n - 1) / 2 for n in shape)
    grid = np.meshgrid(x, y, z, indexing="ij")
    radius = lambda cx, rx, ry, rz: ((grid[0] - cx) / rx) ** 2 + (grid[1] / ry) ** 2 + (grid[2] / rz) ** 2  # noqa: E731
    hu = np.full(shape, -1000, dtype=np.int16)
    hu[radius(0, 62, 46, 400) < 1] = 40
    if lungs:
        for centre in (-28, 28):
            hu[radius(centre, 20, 32, 36) < 1] = -850
    affine = np.diag([*(2.5 * np.array(signs)), 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    meta = {"original_affine": affine, "spatial_shape": shape}
    return MetaTensor(torch.from_numpy(hu)[None], affine=torch.from_numpy(affine), meta=meta)


def box_mm(volume):
    grid = Grid.of(volume)
    ends = [grid.affine @ [*corner, 1] for corner in ((0, 0, 0), tuple(n - 1 for n in grid.shape))]
    return np.sort(np.array(ends)[:, :3], axis=0)


@pytest.mark.parametrize("signs", [(-1, -1, 1), (1, 1, 1), (1, -1, -1)])
def test_the_box_holds_the_lungs_and_little_more(signs):
    image = chest(signs)
    out = RegionOfInterestd("image", "lungs", margin_mm=10)({"image": image})
    index = np.argwhere(image[0].numpy() == -850)
    world = np.c_[index, np.ones(len(index))] @ Grid.of(image).affine.T
    low, high = box_mm(out["image"])
    assert (low <= world[:, :3].min(0) - 5).all()
    assert (high >= world[:, :3].max(0) + 5).all()
    assert (world[:, :3].min(0) - low <= 20).all()
    assert (high - world[:, :3].max(0) <= 20).all()
    assert out["image"].meta["region"] == "lungs"
    assert not out["image"].meta["findings"]


def test_cropping_is_a_view_and_the_label_follows():
    image = chest()
    label = MetaTensor((image == -850).to(torch.uint8), affine=image.affine)
    out = RegionOfInterestd(["image", "label"], "lungs")({"image": image, "label": label})
    assert out["image"].untyped_storage().data_ptr() == image.untyped_storage().data_ptr()
    assert torch.equal(out["label"].as_tensor(), (out["image"].as_tensor() == -850).to(torch.uint8))
    torch.testing.assert_close(out["label"].affine, out["image"].affine)


@pytest.mark.parametrize("spacing", [(0.78125, 0.78125, 1.0), (0.7, 0.7, 2.0), (0.9766, 0.9766, 3.27)])
def test_headers_in_float32_and_in_decimals_give_the_same_samples(spacing):
    exact, coarse = chest(), []
    affine = np.diag([*(2 * np.array(spacing) * (-1, -1, 1)), 1.0])
    affine[:3, 3] = 171.31, 163.07, -312.6
    for matrix in (affine, affine.astype(np.float32).astype(np.float64)):
        image = MetaTensor(exact.as_tensor(), affine=torch.from_numpy(matrix), meta={"spatial_shape": exact.shape[1:]})
        data = RegionOfInterestd("image", "lungs")({"image": image})
        coarse.append(ToNetworkGridd("image", (1.5, 1.5, 1.5))(data)["image"].as_tensor())
    assert torch.equal(*coarse)


def test_left_is_the_patients_left():
    out = RegionOfInterestd("image", "lungs")({"image": chest()})
    lungs = out["lungs"]
    x = [
        float((torch.argwhere(lungs[0] == side).double().mean(0) @ lungs.affine[:3, :3].T + lungs.affine[:3, 3])[0])
        for side in (1, 2)
    ]
    assert x[0] < 0 < x[1]


def test_no_lungs_is_a_finding_and_the_body_is_searched():
    out = RegionOfInterestd("image", "lungs", margin_mm=10)({"image": chest(lungs=False)})
    assert out["image"].meta["region"] == "body"
    assert "no lungs found" in out["image"].meta["findings"][0]
    assert not out["lungs"].any()
    assert out["image"].shape[1] < 140


def test_all_keeps_everything_and_air_alone_is_searched_whole():
    image = chest()
    assert RegionOfInterestd("image", "all", lungs_key=None)({"image": image})["image"].shape == image.shape
    empty = chest()
    empty[:] = -1000
    out = RegionOfInterestd("image", "body")({"image": empty})
    assert out["image"].shape == empty.shape
    assert "no body found" in out["image"].meta["findings"][0]


def test_an_unknown_region_is_refused():
    with pytest.raises(SettingError, match="liver"):
        RegionOfInterestd("image", "liver")


def test_labels_outside_widen_the_box_and_are_said(caplog):
    image = chest()
    label = MetaTensor(torch.zeros_like(image, dtype=torch.uint8), affine=image.affine)
    label[0, 2:5, 50:60, 40:45] = 1
    out = RegionOfInterestd(["image", "label"], "lungs", label_key="label")({"image": image, "label": label})
    assert out["label"].sum() == label.sum()
    assert "widened" in out["image"].meta["findings"][0]
    assert "widened" in caplog.text

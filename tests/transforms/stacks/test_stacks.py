"""Arrays, pictures and volumes read as one kind of stack, with their masks."""

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from transforms import LoadStackd, LoadStackMaskd
from transforms.errors import DataListError, GeometryError, LabelError, SettingError, UnreadableError
from transforms.stacks import StackSettings, read_image_stack, read_mask_stack


def picture(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array, dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def stack(tmp_path):
    """A `.npy` of three slices of 20 rows and 30 columns, each voxel of its own value."""
    hu = np.arange(3 * 20 * 30, dtype=np.int16).reshape(3, 20, 30, 1)
    np.save(tmp_path / "images_a.npy", hu)
    return tmp_path / "images_a.npy", hu


def test_columns_run_along_x_and_rows_along_y(stack):
    path, hu = stack
    image, native = read_image_stack(path, StackSettings())
    assert image.shape == (1, 30, 20, 3)
    assert image.dtype == torch.int16
    assert int(image[0, 4, 7, 2]) == hu[2, 7, 4, 0]
    assert native is image
    assert "1 mm" in native.meta["findings"][0]


def test_a_part_of_a_stack_is_a_stack(stack):
    path, hu = stack
    data = LoadStackd("image", {}, native_key="native")({"image": str(path), "slices": [1, 3]})
    assert data["image"].shape == (1, 30, 20, 2)
    assert int(data["native"][0, 0, 0, 0]) == hu[1, 0, 0, 0]
    with pytest.raises(DataListError, match="2 to 4"):
        read_image_stack(path, StackSettings(), part=(2, 4))


def test_a_part_of_a_volume_keeps_its_place(tmp_path):
    hu = np.full((20, 20, 6), -1000, dtype=np.int16)
    hu[5:15, 5:15] = np.arange(6) * 10
    nib.save(nib.Nifti1Image(hu, np.diag([1.0, 1.0, 5.0, 1.0])), tmp_path / "ct.nii.gz")
    image, _ = read_image_stack(tmp_path / "ct.nii.gz", StackSettings(), part=(2, 4), allow=["not-hu"])
    assert image.shape == (1, 20, 20, 2)
    assert int(image[0, 10, 10, 0]) == 20
    assert float(image.affine[2, 3]) == 10
    assert image.meta["spatial_shape"].tolist() == [20, 20, 2]


def test_pictures_show_a_window_in_the_order_of_their_numbers(tmp_path):
    for number in (2, 10):
        picture(tmp_path / "images" / f"{number}.png", np.full((16, 18), 255 if number == 2 else 0))
    image, _ = read_image_stack(tmp_path / "images", StackSettings(image_window={"low": -100, "high": 300}))
    assert image.shape == (1, 18, 16, 2)
    assert image[0, 0, 0].tolist() == [300, -100]
    picture(tmp_path / "images" / "3.png", np.zeros((17, 18)))
    with pytest.raises(GeometryError, match="18 × 17"):
        read_image_stack(tmp_path / "images", StackSettings())


def test_colours_are_three_channels_and_a_ct_is_shown_in_them(tmp_path, stack):
    colours = np.zeros((16, 16, 4))
    colours[..., 0], colours[..., 3] = 255, 255
    image, native = read_image_stack(picture(tmp_path / "a.png", colours), StackSettings(colour=True))
    assert image[:, 0, 0, 0].tolist() == [1, 0, 0]
    assert native.shape == (1, 16, 16, 1)
    shown, native = read_image_stack(stack[0], StackSettings(colour=True, image_window={"low": 0, "high": 1000}))
    assert shown[:, 10, 0, 0].tolist() == pytest.approx([0.01] * 3)
    assert native.shape == (1, 30, 20, 3)


def test_channels_of_a_mask_stand_for_values(tmp_path):
    masks = np.zeros((1, 4, 4, 3))
    masks[0, 0, 0, 0] = masks[0, 1, 0, 1] = masks[0, 2, 0, 2] = 1
    np.save(tmp_path / "masks.npy", masks)
    labels = read_mask_stack(tmp_path / "masks.npy", "x", StackSettings(mask_values=[2, 1, 0]))
    assert labels[0, 0, :, 0].tolist() == [2, 1, 0, 0]
    with pytest.raises(LabelError, match="mask_values"):
        read_mask_stack(tmp_path / "masks.npy", "x", StackSettings())
    with pytest.raises(LabelError, match="no class has"):
        read_mask_stack(tmp_path / "masks.npy", "x", StackSettings(mask_values=[2, 1, 0]), allowed=[0, 1])


def test_nuclei_of_one_picture_are_merged(tmp_path):
    image = picture(tmp_path / "images" / "n.png", np.zeros((16, 16)))
    for number, at in enumerate((2, 9)):
        mask = np.zeros((16, 16))
        mask[at, at] = 255
        picture(tmp_path / "masks" / f"{number}.png", mask)
    chain = LoadStackMaskd("label", {})
    data = LoadStackd("image", {})({"image": str(image.parent), "label": str(tmp_path / "masks")})
    labels = chain(data)["label"]
    assert labels.nonzero().tolist() == [[0, 2, 2, 0], [0, 9, 9, 0]]
    assert int(labels.max()) == 1


def test_pictures_of_masks_go_by_name(tmp_path):
    for number in range(2):
        picture(tmp_path / "images" / f"{number}.png", np.zeros((16, 16)))
        picture(tmp_path / "masks" / f"{number}.png", np.full((16, 16), number + 1))
    labels = read_mask_stack(tmp_path / "masks", tmp_path / "images", StackSettings())
    assert labels[0, 0, 0].tolist() == [1, 2]
    (tmp_path / "masks" / "1.png").unlink()
    with pytest.raises(DataListError, match="mask of the same name"):
        read_mask_stack(tmp_path / "masks", tmp_path / "images", StackSettings())


def test_what_is_no_stack_is_refused(tmp_path):
    np.save(tmp_path / "flat.npy", np.zeros(4))
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(UnreadableError, match="no stack"):
        read_image_stack(tmp_path / "flat.npy", StackSettings())
    with pytest.raises(UnreadableError, match="cannot be read"):
        read_image_stack(tmp_path / "cut.npy", StackSettings())
    with pytest.raises(SettingError, match="colours"):
        StackSettings.of({"colours": True})

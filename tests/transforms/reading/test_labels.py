"""Label maps and the grid of their image."""

import gzip

import nibabel as nib
import numpy as np
import pytest
import torch

from transforms.errors import CTError, GeometryError, LabelError, UnreadableError
from transforms.reading import CheckSameGridd, LoadCTd, LoadLabelMapd

AFFINE = np.diag([-0.7, -0.8, 2.5, 1.0])
LABELS = np.random.default_rng(0).integers(0, 4, (7, 6, 5))


def save(path, array, affine=AFFINE):
    nib.save(nib.Nifti1Image(array, affine, dtype=array.dtype), path)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.int64, np.float32, np.float64])
def test_loads_uint8_of_any_type(tmp_path, dtype):
    path = save(tmp_path / "label.nii.gz", LABELS.astype(dtype))
    label = LoadLabelMapd("label", allowed=[0, 1, 2, 3])({"label": path})["label"]
    assert label.dtype == torch.uint8
    np.testing.assert_array_equal(label.numpy()[0], LABELS)
    np.testing.assert_allclose(label.affine, AFFINE, atol=1e-6)
    assert label.meta["filename_or_obj"] == str(path)
    assert list(label.meta["spatial_shape"]) == [7, 6, 5]


def test_an_empty_mask_is_no_picture(tmp_path):
    path = save(tmp_path / "label.nii.gz", np.zeros((3, 3, 3), np.uint8))
    assert LoadLabelMapd("label")({"label": path})["label"].max() == 0


@pytest.mark.parametrize(
    ("value", "found"),
    [(0.5, "0.5"), (-1.0, "-1"), (256.0, "256"), (np.nan, "nan"), (np.inf, "inf"), (1e9, "1e+09")],
)
def test_impossible_values(tmp_path, value, found):
    labels = LABELS.astype(np.float32)
    labels[1, 1, 1] = value
    path = save(tmp_path / "label.nii.gz", labels)
    with pytest.raises(LabelError) as caught:
        LoadLabelMapd("label")({"label": path})
    for part in (str(path), f"found {found};", "0 to 255", "Store it as integers"):
        assert part in str(caught.value)


@pytest.mark.parametrize(("dtype", "value"), [(np.int16, -1), (np.uint16, 256), (np.int64, 1 << 40)])
def test_integers_beyond_the_range_of_labels(tmp_path, dtype, value):
    labels = LABELS.astype(dtype)
    labels[1, 1, 1] = value
    with pytest.raises(LabelError, match="0 to 255"):
        LoadLabelMapd("label")({"label": save(tmp_path / "label.nii.gz", labels)})


@pytest.mark.parametrize("maximum", [1, 100, 255])
def test_values_are_never_asked_whether_they_are_hu(tmp_path, maximum):
    labels = (LABELS > 1) * maximum
    path = save(tmp_path / "label.nii.gz", labels.astype(np.uint8))
    np.testing.assert_array_equal(LoadLabelMapd("label")({"label": path})["label"].numpy()[0], labels)


def test_one_channel_a_class_is_refused(tmp_path):
    path = save(tmp_path / "label.nii.gz", np.stack([LABELS == 1, LABELS == 2], -1).astype(np.uint8))
    with pytest.raises(GeometryError, match="7 x 6 x 5 x 2"):
        LoadLabelMapd("label")({"label": path})


class TestSlicerSegmentations:
    """`.seg.nrrd` as 3D Slicer writes it, with a block of `Segment` keys."""

    KEYS = "".join(
        f"Segment{n}_ID:=Segment_{n + 1}\nSegment{n}_LabelValue:={n + 1}\nSegment{n}_Layer:=0\n" for n in range(3)
    )

    def write(self, path, array, sizes, kinds, directions):
        head = (
            f"NRRD0004\n# Slicer\ntype: unsigned char\ndimension: {len(sizes.split())}\n"
            f"space: left-posterior-superior\nsizes: {sizes}\nspace directions: {directions}\nkinds: {kinds}\n"
            f"encoding: gzip\nspace origin: (1,2,3)\n{self.KEYS}Segmentation_ReferenceImageExtentOffset:=0 0 0\n\n"
        )
        path.write_bytes(head.encode() + gzip.compress(array.astype(np.uint8).tobytes(order="F")))
        return path

    def test_one_layer_is_a_label_map(self, tmp_path):
        axes = "(0.7,0,0) (0,0.8,0) (0,0,2.5)"
        path = self.write(tmp_path / "a.seg.nrrd", LABELS, "7 6 5", "domain domain domain", axes)
        label = LoadLabelMapd("label", allowed=[0, 1, 2, 3])({"label": path})["label"]
        np.testing.assert_array_equal(label.numpy()[0], LABELS)
        np.testing.assert_allclose(label.affine, AFFINE + np.array([[0, 0, 0, at] for at in (-1, -2, 3, 0)]))

    def test_several_layers_are_refused_with_a_remedy(self, tmp_path):
        layers = np.stack([LABELS == 1, LABELS == 2])
        axes = "none (0.7,0,0) (0,0.8,0) (0,0,2.5)"
        path = self.write(tmp_path / "a.seg.nrrd", layers, "2 7 6 5", "list domain domain domain", axes)
        with pytest.raises(GeometryError) as caught:
            LoadLabelMapd("label")({"label": path})
        for part in (str(path), "2 value(s) a voxel", "collapse the layers"):
            assert part in str(caught.value)


def test_values_of_no_class(tmp_path):
    path = save(tmp_path / "label.nii.gz", LABELS.astype(np.uint8))
    with pytest.raises(LabelError) as caught:
        LoadLabelMapd("label", allowed=[0, 1])({"label": path})
    for part in (str(path), f"2 ({(LABELS == 2).sum()} voxels)", "3 (", "only 0, 1", "Name all classes"):
        assert part in str(caught.value)


def test_label_map_of_unknown_kind(tmp_path):
    (tmp_path / "label.png").write_bytes(b"x")
    with pytest.raises(UnreadableError, match=r"label\.png: .*no known kind"):
        LoadLabelMapd("label")({"label": tmp_path / "label.png"})


def pair(tmp_path, shape=(7, 6, 5), affine=AFFINE):
    hu = np.random.default_rng(0).integers(-1000, 1000, (7, 6, 5)).astype(np.int16)
    item = {
        "image": save(tmp_path / "ct.nii.gz", hu),
        "label": save(tmp_path / "mask.nii.gz", np.zeros(shape, np.uint8), affine),
    }
    return LoadLabelMapd("label")(LoadCTd("image")(item))


def test_same_grid_passes_with_rounding(tmp_path):
    affine = AFFINE.copy()
    affine[:3, 3] += 1e-3
    given = pair(tmp_path, affine=affine)
    assert CheckSameGridd()(given)["label"] is given["label"]


@pytest.mark.parametrize(
    ("shape", "shift", "found"),
    [((7, 6, 4), 0.0, "shapes 7 x 6 x 4 and 7 x 6 x 5"), ((7, 6, 5), 0.35, "corners 0.35 mm apart")],
)
def test_other_grid(tmp_path, shape, shift, found):
    affine = AFFINE.copy()
    affine[0, 3] += shift
    with pytest.raises(GeometryError) as caught:
        CheckSameGridd(("image", "label"))(pair(tmp_path, shape, affine))
    for part in ("ct.nii.gz", "mask.nii.gz", found, "Resample the label map"):
        assert part in str(caught.value)


def test_a_flipped_grid_is_another(tmp_path):
    with pytest.raises(CTError, match="not on one grid"):
        CheckSameGridd()(pair(tmp_path, affine=AFFINE @ np.diag([-1.0, 1, 1, 1])))

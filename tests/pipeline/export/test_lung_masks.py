import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from pipeline.export import write_case
from pipeline.export.lung_masks import with_lesions
from pipeline.export.provenance import BundleIdentity

CLASSES = {"background": 0, "ground_glass": 1, "consolidation": 2, "pleural_effusion": 3}
SHAPE = (20, 16, 12)
AFFINE = np.diag([-2.0, -2.0, 2.0, 1.0])
LUNG_LESIONS = ["ground_glass", "consolidation"]


@pytest.fixture
def lungs():
    mask = np.zeros(SHAPE, np.uint8)
    mask[:8], mask[12:] = 2, 1
    return mask


@pytest.fixture
def label_map():
    """Consolidation at the border of the right lung, half in it; effusion at that of the left."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[6:10, 4:12, 4:8] = 2
    labels[11:12, 4:12, 4:8] = 3
    return labels


def test_consolidation_belongs_to_the_lung_and_effusion_does_not(lungs, label_map):
    found = with_lesions(lungs, label_map, AFFINE, CLASSES, LUNG_LESIONS)
    expected = lungs.copy()
    expected[8:10, 4:12, 4:8] = 2
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("names", [[], ["lesion"], ["background"]])
def test_names_that_are_no_class_here_count_for_nothing(lungs, label_map, names):
    assert with_lesions(lungs, label_map, AFFINE, CLASSES, names) is lungs


def test_without_lungs_there_are_none(label_map):
    assert with_lesions(None, label_map, AFFINE, CLASSES, LUNG_LESIONS) is None


@pytest.mark.parametrize(
    ("names", "right_voxels", "lesion_voxels"), [([], 8 * 192, 64), (LUNG_LESIONS, 8 * 192 + 64, 128)]
)
def test_file_and_measurements_know_of_it(tmp_path, lungs, label_map, names, right_voxels, lesion_voxels):
    def volume(array):
        return MetaTensor(torch.from_numpy(array)[None], affine=torch.from_numpy(AFFINE))

    data = {"case": "a", "native": volume(np.full(SHAPE, -700, np.int16)), "pred": volume(label_map)}
    result = write_case(
        tmp_path / "a",
        {**data, "lungs": volume(lungs)},
        classes=CLASSES,
        bundle=BundleIdentity(name="x", version="1"),
        stages={},
        write=["lungs", "measurements"],
        lung_lesions=names,
    )
    written = np.asarray(nib.load(tmp_path / "a" / "lungs.nii.gz").dataobj)
    assert (written == 2).sum() == right_voxels
    assert result.measurements.lung_volume_ml.right == pytest.approx(right_voxels * 0.008)
    involved = result.measurements.lesions["consolidation"].percent_of_right_lung
    assert involved == pytest.approx(100 * lesion_voxels / right_voxels)
    # What was handed in stays as it was.
    assert (lungs == 2).sum() == 8 * 192

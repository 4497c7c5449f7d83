import json
import math

import numpy as np
import pytest

from pipeline.export.measurements import measure
from pipeline.export.severity import severity_of

CLASSES = {"background": 0, "ground_glass": 1, "consolidation": 2, "pleural_effusion": 3}
SHAPE = (20, 10, 10)


@pytest.fixture
def case():
    """Two lungs of 500 voxels; voxels of 0.5 x 1 x 2 mm, which is a microlitre."""
    lungs = np.zeros(SHAPE, np.uint8)
    lungs[0:5] = 2
    lungs[10:15] = 1
    label_map = np.zeros(SHAPE, np.uint8)
    hu = np.full(SHAPE, -800, np.int16)
    return label_map, hu, lungs, np.diag([0.5, 1.0, 2.0, 1.0])


def test_every_number_by_hand(case):
    label_map, hu, lungs, affine = case
    label_map[0, :, :] = 1  # 100 voxels, all in the right lung
    label_map[4, 0:5, :] = 2  # 50 in the right lung
    label_map[5, 0:5, :] = 2  # and 50 beside it, joined to them
    label_map[14, 9, 9] = 2  # and one alone in the left lung
    label_map[6:8, :, 0] = 3  # 20 outside
    hu[0] = -600
    hu[4:6, 0:5] = 50
    hu[14, 9, 9] = 50 - 101
    found = measure(label_map, hu, lungs, affine, CLASSES, case="a")
    assert found.as_json() == {
        "case": "a",
        "spacing_mm": [0.5, 1.0, 2.0],
        "lung_volume_ml": {"left": 0.5, "right": 0.5, "total": 1.0},
        "lesions": {
            "ground_glass": {"volume_ml": 0.1, "percent_of_lung": 10.0, "mean_hu": -600.0, "components": 1},
            "consolidation": {"volume_ml": 0.101, "percent_of_lung": 5.1, "mean_hu": 49.0, "components": 2},
            "pleural_effusion": {"volume_ml": 0.02, "percent_of_lung": 2.0, "mean_hu": -800.0, "components": 1},
        },
        "percent_of_lung_involved": 15.1,
        "severity": {"scale": "CT-0 to CT-4 (Morozov et al. 2020)", "grade": 1},
    }
    json.dumps(found.as_json(), allow_nan=False)


def test_nothing_found(case):
    found = measure(*case, CLASSES)
    for lesion in found.lesions.values():
        assert (lesion.volume_ml, lesion.percent_of_lung, lesion.mean_hu, lesion.components) == (0.0, 0.0, None, 0)
    assert found.percent_of_lung_involved == 0.0
    assert found.severity is not None
    assert found.severity.grade == 0


@pytest.mark.parametrize("empty", [True, False])
def test_without_lungs_their_figures_are_null(case, empty):
    label_map, hu, lungs, affine = case
    label_map[0] = 1
    found = measure(label_map, hu, np.zeros_like(lungs) if empty else None, affine, CLASSES).as_json()
    assert found["lung_volume_ml"] == {"left": None, "right": None, "total": None}
    assert found["percent_of_lung_involved"] is None
    assert found["severity"] is None
    lesion = found["lesions"]["ground_glass"]
    assert lesion == {"volume_ml": 0.1, "percent_of_lung": None, "mean_hu": -800.0, "components": 1}


def test_a_sphere_has_its_volume_on_an_anisotropic_grid():
    spacing = np.array([0.7, 0.8, 1.5])
    centre, radius = np.array([30.0, 30.0, 30.0]), 20.0
    steps = np.ogrid[: int(60 / 0.7), : int(60 / 0.8), : int(60 / 1.5)]
    distance = sum((step * mm - middle) ** 2 for step, mm, middle in zip(steps, spacing, centre, strict=True))
    label_map = (distance < radius**2).astype(np.uint8)
    hu = np.zeros(label_map.shape, np.float32)
    found = measure(label_map, hu, None, np.diag([*spacing, 1.0]), {"nodule": 1})
    assert found.lesions["nodule"].volume_ml == pytest.approx(4 / 3 * math.pi * 2.0**3, rel=0.01)
    assert found.lesions["nodule"].components == 1
    assert found.spacing_mm == pytest.approx(tuple(spacing))


def test_oblique_mirrored_and_sheared_grids_count_by_their_determinant(case):
    label_map, hu, lungs, _ = case
    label_map[0] = 1
    angle = math.radians(30)
    rotation = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    shear = np.array([[1, 0, 0], [0, 1, 0.5], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = rotation @ shear @ np.diag([-0.5, 1.0, 2.0])
    affine[:3, 3] = 100.0
    found = measure(label_map, hu, lungs, affine, CLASSES)
    assert found.lesions["ground_glass"].volume_ml == pytest.approx(0.1)
    assert found.lung_volume_ml.total == pytest.approx(1.0)
    assert found.spacing_mm == pytest.approx((0.5, 1.0, 2.0 * math.hypot(1.0, 0.5)))


def test_voxels_that_share_a_corner_are_one_component(case):
    label_map, hu, lungs, affine = case
    label_map[0, 0, 0] = label_map[1, 1, 1] = label_map[3, 3, 3] = 1
    assert measure(label_map, hu, lungs, affine, CLASSES).lesions["ground_glass"].components == 2


def test_an_effusion_may_exceed_the_lungs_and_is_no_involvement(case):
    label_map, hu, lungs, affine = case
    label_map[:] = 3
    found = measure(label_map, hu, lungs, affine, CLASSES)
    assert found.lesions["pleural_effusion"].percent_of_lung == 200.0
    assert found.percent_of_lung_involved == 0.0


def test_which_classes_lie_outside_can_be_said(case):
    label_map, hu, lungs, affine = case
    label_map[0] = 1
    found = measure(label_map, hu, lungs, affine, {"tumour": 1}, outside_lung=["tumour"])
    assert found.lesions["tumour"].percent_of_lung == 10.0
    assert found.percent_of_lung_involved is None
    assert found.severity is None


def test_volumes_of_other_shapes_are_refused(case):
    label_map, hu, lungs, affine = case
    with pytest.raises(ValueError, match="share one shape"):
        measure(label_map, hu[1:], lungs, affine, CLASSES)


def test_the_mean_of_many_voxels_does_not_overflow():
    hu = np.full((100, 100, 100), 30000, np.int16)
    found = measure(np.ones(hu.shape, np.uint8), hu, None, np.eye(4), {"a": 1})
    assert found.lesions["a"].mean_hu == 30000.0


@pytest.mark.parametrize(
    ("percent", "grade"),
    [(0.0, 0), (0.01, 1), (24.9, 1), (25.0, 2), (49.9, 2), (50.0, 3), (74.9, 3), (75.0, 4), (100.0, 4)],
)
def test_grades(percent, grade):
    severity = severity_of(percent)
    assert severity is not None
    assert severity.grade == grade


def test_no_grade_without_a_percentage():
    assert severity_of(None) is None

import json
import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

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
    hu[14, 9, 9] = 50 - 101  # the variance of the 101 is 100/101 * 1/101 * 101**2
    found = measure(label_map, hu, lungs, affine, CLASSES, case="a")
    as_json = found.as_json()
    assert {key: as_json[key] for key in ("case", "spacing_mm", "lung_volume_ml", "percent_of_lung_involved")} == {
        "case": "a",
        "spacing_mm": [0.5, 1.0, 2.0],
        "lung_volume_ml": {"left": 0.5, "right": 0.5, "total": 1.0},
        "percent_of_lung_involved": 15.1,
    }
    assert {name: as_json["lesions"][name] for name in ("ground_glass", "consolidation")} == {
        "ground_glass": {
            "volume_ml": 0.1,
            "percent_of_lung": 10.0,
            "percent_of_left_lung": 0.0,
            "percent_of_right_lung": 20.0,
            "mean_hu": -600.0,
            "std_hu": 0.0,
            "components": 1,
            "largest_component_ml": 0.1,
            "slices": {"axis": 2, "first": 0, "last": 9},
            "largest_components": [{"volume_ml": 0.1, "slices": {"axis": 2, "first": 0, "last": 9}}],
        },
        "consolidation": {
            "volume_ml": 0.101,
            "percent_of_lung": 5.1,
            "percent_of_left_lung": 0.2,
            "percent_of_right_lung": 10.0,
            "mean_hu": 49.0,
            "std_hu": 10.0,
            "components": 2,
            "largest_component_ml": 0.1,
            "slices": {"axis": 2, "first": 0, "last": 9},
            "largest_components": [
                {"volume_ml": 0.1, "slices": {"axis": 2, "first": 0, "last": 9}},
                {"volume_ml": 0.001, "slices": {"axis": 2, "first": 9, "last": 9}},
            ],
        },
    }
    effusion = as_json["lesions"]["pleural_effusion"]
    assert (effusion["percent_of_lung"], effusion["percent_of_right_lung"], effusion["components"]) == (2.0, None, 1)
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
    assert lesion["volume_ml"] == 0.1
    assert (lesion["percent_of_lung"], lesion["percent_of_left_lung"], lesion["mean_hu"]) == (None, None, -800.0)
    assert found["lung_density"]["total"]["mean_hu"] is None
    assert found["zones"]["left"]["upper"] == {"volume_ml": None, "percent_involved": None, "points": None}


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


def rotated(degrees, spacing, signs=(1, 1, 1)):
    """An oblique affine: about an axis that is none of the grid's."""
    axis = np.array([0.6, 0.35, 0.72]) / np.linalg.norm([0.6, 0.35, 0.72])
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_rotvec(np.deg2rad(degrees) * axis).as_matrix() @ np.diag(signs) @ np.diag(spacing)
    return affine


def world(shape, affine):
    """RAS+ millimetres of each voxel centre, three arrays `(X, Y, Z)`, with the volume's middle at the origin."""
    middle = (np.array(shape) - 1) / 2
    grid = np.stack(np.meshgrid(*(np.arange(n) - m for n, m in zip(shape, middle, strict=True)), indexing="ij"), -1)
    return np.moveaxis(grid @ affine[:3, :3].T, -1, 0)


@pytest.mark.parametrize("degrees", [0, 25])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.8, 1.5), (0.6, 0.6, 3.0)])
def test_spheres_are_exact_within_half_a_percent(spacing, degrees):
    affine, radius = rotated(degrees, spacing, (-1, -1, 1)), 22.0
    shape = tuple(int(52 / step) for step in spacing)
    x, y, z = world(shape, affine)
    label_map = (x**2 + y**2 + z**2 < radius**2).astype(np.uint8)
    lungs = np.where(x < 0, 1, 2).astype(np.uint8)
    lesion = measure(label_map, np.zeros(shape, np.int16), lungs, affine, {"nodule": 1}).lesions["nodule"]
    assert lesion.volume_ml == pytest.approx(4 / 3 * math.pi * radius**3 / 1000, rel=0.005)
    assert lesion.largest_component_ml == lesion.volume_ml
    left, right = (
        100 * np.count_nonzero(label_map[lungs == side]) / np.count_nonzero(lungs == side) for side in (1, 2)
    )
    assert (lesion.percent_of_left_lung, lesion.percent_of_right_lung) == pytest.approx((left, right))


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, -1, -1)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_thirds_of_slabs_in_any_orientation(signs, order):
    """A lung of 30 slices whose lowest 10 are half involved and whose highest 10 are wholly."""
    affine = np.diag([2.0 * signs[0], 2.0 * signs[1], 1.0 * signs[2], 1.0])
    shape = (12, 6, 40)
    _, _, z = world(shape, affine)
    x = world(shape, affine)[0]
    inside = np.abs(z) < 15
    lungs = np.where(x < 0, 1, 2).astype(np.uint8) * inside
    label_map = np.zeros(shape, np.uint8)
    label_map[(z < -5) & inside & (np.arange(6)[None, :, None] < 3)] = 1
    label_map[(z > 5) & inside & (x > 0)] = 2
    hu = np.where(z < 0, -960, -500).astype(np.int16)
    turned = np.eye(4)
    turned[:3, :3] = affine[:3, :3][:, list(order)]
    volumes = [np.transpose(volume, order) for volume in (label_map, hu, lungs)]
    found = measure(*volumes, turned, CLASSES)
    left, right = found.zones.left, found.zones.right
    assert [zone.volume_ml for zone in (left.upper, left.middle, left.lower)] == pytest.approx([6 * 6 * 10 * 0.004] * 3)
    assert [zone.percent_involved for zone in (left.upper, left.middle, left.lower)] == [0.0, 0.0, 50.0]
    assert [zone.points for zone in (right.upper, right.middle, right.lower)] == [4, 0, 3]
    assert found.severity is not None
    assert (found.severity.score, found.severity.grade) == (10, 2)
    density = found.lung_density.total
    assert density.mean_hu == -730.0
    assert (density.percent_below_minus_950_hu, density.percent_minus_700_to_minus_300_hu) == (50.0, 50.0)
    slices = found.lesions["ground_glass"].slices
    assert slices is not None
    assert slices.axis == order.index(2)
    assert (slices.first, slices.last) == ((5, 14) if signs[2] > 0 else (25, 34))


def test_thirds_of_an_oblique_lung_have_equal_height():
    affine = rotated(20, (1.0, 1.0, 2.0))
    shape = (80, 80, 60)
    x, y, z = world(shape, affine)
    lungs = ((np.hypot(x, y) < 20) & (np.abs(z) < 30)).astype(np.uint8)
    label_map = ((z > 10) & (lungs > 0)).astype(np.uint8)
    zones = measure(label_map, np.zeros(shape, np.int16), lungs, affine, CLASSES).zones
    volumes = [zones.left.upper.volume_ml, zones.left.middle.volume_ml, zones.left.lower.volume_ml]
    assert volumes == pytest.approx([math.pi * 20**2 * 20 / 1000] * 3, rel=0.02)
    assert zones.left.upper.percent_involved == pytest.approx(100.0, abs=2.0)
    assert zones.left.middle.percent_involved == pytest.approx(0.0, abs=2.0)
    assert zones.right.upper.volume_ml is None


def test_the_ends_of_a_density_range_count():
    hu = np.array([-951, -950, -701, -700, -300, -299], np.int16).reshape(6, 1, 1)
    found = measure(np.zeros(hu.shape, np.uint8), hu, np.ones(hu.shape, np.uint8), np.eye(4), CLASSES)
    density = found.lung_density.left
    assert density.percent_below_minus_950_hu == pytest.approx(100 / 6)
    assert density.percent_minus_700_to_minus_300_hu == pytest.approx(200 / 6)
    assert found.lung_density.right.mean_hu is None


def test_a_score_needs_all_six_zones():
    severity = severity_of(10.0, [0.0, 5.0, 25.0, 50.0, 75.0, None])
    assert severity is not None
    assert severity.score is None
    severity = severity_of(10.0, [0.0, 5.0, 25.0, 50.0, 75.0, 100.0])
    assert severity is not None
    assert severity.score == 0 + 1 + 2 + 3 + 4 + 4

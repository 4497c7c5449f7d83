"""What painted lesions look like: exact masks, HU of their kind, in the lung, fluid where gravity takes it."""

import numpy as np
import pytest
from scipy import ndimage

from tests.transforms.synthesis.conftest import LUNG_HU, TISSUE_HU, VESSEL_HU, make_chest
from transforms.grids import Grid
from transforms.synthesis import Effusion, LesionPlan, LesionRanges, LungSpace, Opacity, draw_lesions, paint_lesions


def space_of(chest):
    return LungSpace.of(chest.lungs, Grid(shape=chest.hu.shape, affine=chest.affine))


def opacity(kind, *, centre=(-58.0, 0.0, 0.0), radius=30.0, density=None, **changes):
    settings = {
        "kind": kind,
        "side": 1,
        "centre": centre,
        "half_axes": (radius, radius, radius),
        "rotation": np.eye(3),
        "reach_mm": np.inf,
        "density": density if density is not None else (0.35 if kind == "ground_glass" else 0.97),
        "tissue_hu": 40.0,
    }
    return Opacity(**(settings | changes))


def effusion(side=1, **changes):
    settings = {"side": side, "thickness_mm": 30.0, "rise": 0.6, "height": 0.8, "fluid_hu": 10.0}
    return Effusion(**(settings | changes))


EVERYTHING = LesionPlan(
    opacities=(opacity("ground_glass"), opacity("consolidation", centre=(58.0, -20.0, 10.0), side=2)),
    effusions=(effusion(1), effusion(2)),
    seed=3,
)


def test_only_what_the_label_map_names_has_changed(chest):
    painted = paint_lesions(chest.hu, space_of(chest), EVERYTHING)
    untouched = painted.labels == 0
    assert set(np.unique(painted.labels)) == {0, 1, 2, 3}
    assert np.array_equal(painted.hu[untouched], chest.hu[untouched])
    assert painted.hu.dtype == chest.hu.dtype
    # Where air was there is less now: all but vessels, and they are few.
    lesion = (painted.labels > 0) & (chest.hu == LUNG_HU)
    assert (painted.hu[lesion] != LUNG_HU).mean() > 0.995


def test_lesions_stay_in_the_lung(chest):
    """A voxel of the chest wall is taken only where it holds lung too: there are none in this chest."""
    painted = paint_lesions(chest.hu, space_of(chest), EVERYTHING)
    assert chest.lungs[painted.labels > 0].all()


def test_partial_volume_at_the_pleura_is_filled_by_fluid(iso_chest):
    hu = iso_chest.hu.copy()
    rim = ndimage.binary_dilation(iso_chest.lungs > 0) & (iso_chest.lungs == 0)
    hu[rim] = -400
    space = space_of(iso_chest)
    painted = paint_lesions(hu, space, LesionPlan(effusions=(effusion(1, thickness_mm=40.0),)))
    beside = rim & ndimage.binary_dilation((painted.labels == 3) & (iso_chest.lungs > 0))
    assert (painted.hu[beside] > -200).mean() > 0.8
    assert (painted.labels[beside] == 3).mean() > 0.8


def test_ground_glass_keeps_vessels_and_takes_part_of_the_air(iso_chest):
    painted = paint_lesions(iso_chest.hu, space_of(iso_chest), LesionPlan(opacities=(opacity("ground_glass"),)))
    haze = painted.labels == 1
    vessels, air = haze & (iso_chest.hu == VESSEL_HU), haze & (iso_chest.hu == LUNG_HU)
    assert haze.sum() * 27 / 1000 == pytest.approx(4 / 3 * np.pi * 3.0**3, rel=0.4)
    assert np.abs(painted.hu[vessels] - VESSEL_HU).max() <= 10
    assert -780 < np.percentile(painted.hu[air], 10) < np.percentile(painted.hu[air], 90) < -350
    assert painted.hu[vessels].mean() - painted.hu[air].mean() > 400


def test_consolidation_is_dense_with_open_airways(iso_chest):
    chest = make_chest(spacing=(1.5, 1.5, 2.0))
    painted = paint_lesions(chest.hu, space_of(chest), LesionPlan(opacities=(opacity("consolidation"),), seed=2))
    dense = painted.labels == 2
    assert -60 < np.median(painted.hu[dense]) < 80
    inner = ndimage.binary_erosion(dense, iterations=3)
    airways = inner & (painted.hu < -400)
    assert 0.0005 < airways.sum() / inner.sum() < 0.08
    # Not specks: the airways hang together.
    pieces, count = ndimage.label(airways, structure=np.ones((3, 3, 3)))
    assert np.bincount(pieces.ravel())[1:].max() > 12
    assert count < airways.sum() / 5


def test_fluid_has_the_hu_of_fluid_and_replaces_the_lung(iso_chest):
    painted = paint_lesions(iso_chest.hu, space_of(iso_chest), LesionPlan(effusions=(effusion(),)))
    fluid = painted.labels == 3
    assert fluid.sum() * 27 / 1000 > 30
    assert -10 < np.median(painted.hu[fluid]) < 30
    inner = ndimage.binary_erosion(fluid, iterations=1)
    assert painted.hu[inner].max() < 60  # no vessel shows through


@pytest.mark.parametrize("side", [1, 2])
def test_fluid_settles_at_the_back_and_the_base(chest, side):
    painted = paint_lesions(chest.hu, space_of(chest), LesionPlan(effusions=(effusion(side),)))
    fluid, lung = chest.world(painted.labels == 3), chest.world(chest.lungs == side)
    assert fluid[:, 1].mean() < lung[:, 1].mean() - 25
    assert fluid[:, 2].mean() < lung[:, 2].mean()
    assert fluid[:, 1].max() < lung[:, 1].min() + 0.75 * np.ptp(lung[:, 1])
    assert np.sign(fluid[:, 0] @ np.ones(len(fluid))) == (-1 if side == 1 else 1) or np.ptp(chest.affine[0, :3]) == 0
    # A layer on the pleura: the lowest lung of all is under it.
    lowest = np.percentile(lung[:, 1], 0.5)
    assert fluid[:, 1].min() <= lowest + 3


def test_gravity_is_a_setting(iso_chest):
    prone = LesionRanges(gravity=(0.0, 1.0, 0.0))
    painted = paint_lesions(iso_chest.hu, space_of(iso_chest), LesionPlan(effusions=(effusion(),)), ranges=prone)
    assert iso_chest.world(painted.labels == 3)[:, 1].mean() > 25


def test_an_opacity_keeps_to_its_lung_and_to_the_pleura(iso_chest):
    space = space_of(iso_chest)
    wide = opacity("consolidation", centre=(-20.0, -20.0, 0.0), radius=60.0)
    painted = paint_lesions(iso_chest.hu, space, LesionPlan(opacities=(wide,)))
    assert set(np.unique(iso_chest.lungs[painted.labels == 2])) == {1}
    shallow = opacity("ground_glass", centre=(-58.0, -64.0, 0.0), radius=40.0, reach_mm=12.0)
    deep = opacity("ground_glass", centre=(-58.0, -64.0, 0.0), radius=40.0)
    depth = ndimage.distance_transform_edt(iso_chest.lungs > 0, sampling=3.0)
    reached = [
        np.percentile(depth[paint_lesions(iso_chest.hu, space, LesionPlan(opacities=(each,))).labels == 1], 99)
        for each in (shallow, deep)
    ]
    assert reached[0] < 17 < reached[1] - 5


def test_fluid_comes_before_consolidation_before_ground_glass(iso_chest):
    centre = (-58.0, -55.0, -20.0)
    plan = LesionPlan(
        opacities=(opacity("ground_glass", centre=centre), opacity("consolidation", centre=centre, radius=20.0)),
        effusions=(effusion(thickness_mm=20.0),),
    )
    space = space_of(iso_chest)
    alone = [
        paint_lesions(iso_chest.hu, space, LesionPlan(**part)).labels > 0
        for part in (
            {"effusions": plan.effusions},
            {"opacities": plan.opacities[1:]},
            {"opacities": plan.opacities[:1]},
        )
    ]
    labels = paint_lesions(iso_chest.hu, space, plan).labels
    assert (labels[alone[0]] == 3).mean() > 0.9
    assert (labels[alone[1] & (labels != 3)] == 2).mean() > 0.9
    assert set(np.unique(labels)) == {0, 1, 2, 3}


def test_painted_tissue_has_the_noise_of_the_scanner():
    chest = make_chest(noise=25.0)
    painted = paint_lesions(chest.hu, space_of(chest), LesionPlan(effusions=(effusion(thickness_mm=50.0),)))
    inner = ndimage.binary_erosion(painted.labels == 3, iterations=1)
    tissue = ndimage.binary_erosion(chest.lungs == 0, iterations=2)
    assert painted.hu[inner].std() == pytest.approx(chest.hu[tissue].std(), rel=0.4)
    assert TISSUE_HU - 2 < chest.hu[tissue].mean() < TISSUE_HU + 2


def test_equal_plans_give_equal_voxels_and_other_seeds_others(iso_chest):
    space = space_of(iso_chest)
    first, again = (paint_lesions(iso_chest.hu, space, EVERYTHING) for _ in range(2))
    assert np.array_equal(first.hu, again.hu)
    assert np.array_equal(first.labels, again.labels)
    other = paint_lesions(iso_chest.hu, space, LesionPlan(opacities=EVERYTHING.opacities, seed=4))
    assert not np.array_equal(first.labels == 1, other.labels == 1)


def test_the_input_is_left_alone(iso_chest):
    before = iso_chest.hu.copy()
    paint_lesions(iso_chest.hu, space_of(iso_chest), EVERYTHING)
    assert np.array_equal(iso_chest.hu, before)


def test_drawn_lesions_are_in_the_lungs_and_in_range(chest):
    space, ranges = space_of(chest), LesionRanges(ground_glass=1.0, consolidation=1.0, pleural_effusion=1.0)
    plan = draw_lesions(np.random.RandomState(0), space, ranges)
    inverse = np.linalg.inv(chest.affine)
    for each in plan.opacities:
        voxel = np.rint(inverse[:3, :3] @ np.array(each.centre) + inverse[:3, 3]).astype(int)
        around = tuple(slice(max(0, v - 1), v + 2) for v in voxel)
        assert each.side in chest.lungs[around]
        low, high = getattr(ranges, f"{each.kind}_density")
        assert low <= each.density <= high
    assert {each.kind for each in plan.opacities} == {"ground_glass", "consolidation"}
    assert plan.effusions


def test_the_classes_have_the_values_that_are_asked_for(iso_chest):
    values = {"ground_glass": 7, "consolidation": 5, "pleural_effusion": 9}
    painted = paint_lesions(iso_chest.hu, space_of(iso_chest), EVERYTHING, classes=values)
    assert set(np.unique(painted.labels)) == {0, 5, 7, 9}

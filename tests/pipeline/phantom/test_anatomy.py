"""The phantom as a patient: the same every time, on every grid, and with tissues and lesions where they belong."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, map_coordinates

from pipeline.phantom import LESION_LABELS, Phantom, PhantomSpec, make_phantom
from transforms.errors import SettingError

GROUND_GLASS, CONSOLIDATION, EFFUSION = LESION_LABELS.values()


@pytest.fixture(scope="module")
def sick() -> Phantom:
    return make_phantom(PhantomSpec(seed=2, spacing_mm=(3.0, 3.0, 3.0)))


@pytest.fixture(scope="module")
def healthy() -> Phantom:
    return make_phantom(PhantomSpec(seed=2, spacing_mm=(3.0, 3.0, 3.0), lesions=(), noise=0))


def world_of(phantom: Phantom, mask: np.ndarray) -> np.ndarray:
    return np.argwhere(mask) @ phantom.affine[:3, :3].T + phantom.affine[:3, 3]


def test_same_spec_gives_the_same_arrays_and_another_seed_does_not() -> None:
    spec = PhantomSpec(seed=7, spacing_mm=(8.0, 8.0, 8.0))
    first, again, other = (make_phantom(s) for s in (spec, spec, PhantomSpec(seed=8, spacing_mm=spec.spacing_mm)))
    for name in ("hu", "labels", "lungs"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
        assert (getattr(first, name) != getattr(other, name)).any()


def test_types_shapes_and_grid(sick: Phantom) -> None:
    assert (sick.hu.dtype, sick.labels.dtype, sick.lungs.dtype) == (np.int16, np.uint8, np.uint8)
    assert sick.hu.shape == sick.labels.shape == sick.lungs.shape == sick.spec.grid_shape == (127, 127, 103)
    assert sick.affine.dtype == np.float64
    np.testing.assert_allclose(np.diag(sick.affine)[:3], (-3, -3, 3))
    assert sick.hu.min() >= -1024
    assert sick.hu.max() <= 3071


def test_lesions_have_their_densities(sick: Phantom) -> None:
    ranges = {GROUND_GLASS: (-700, -400), CONSOLIDATION: (-50, 60), EFFUSION: (0, 20)}
    for label, (low, high) in ranges.items():
        hu = sick.hu[sick.labels == label]
        assert hu.size > 100
        assert low < np.median(hu) < high


def test_ground_glass_and_consolidation_are_lung_and_fluid_is_not(sick: Phantom) -> None:
    assert (sick.lungs[np.isin(sick.labels, (GROUND_GLASS, CONSOLIDATION))] > 0).all()
    assert (sick.lungs[sick.labels == EFFUSION] == 0).all()


def test_fluid_lies_behind_the_middle_of_the_lungs(sick: Phantom) -> None:
    fluid, lung = (world_of(sick, mask)[:, 1] for mask in (sick.labels == EFFUSION, sick.lungs > 0))
    assert fluid.mean() < lung.mean() - 30
    assert np.percentile(fluid, 99) < np.percentile(lung, 75)


def test_lungs_are_where_and_as_large_as_they_should_be(healthy: Phantom) -> None:
    volumes = []
    for label, side in ((1, -1), (2, 1)):
        lung = healthy.lungs == label
        volumes.append(lung.sum() * 27e-6)
        assert np.sign(world_of(healthy, lung)[:, 0].mean()) == side
        assert -900 < np.median(healthy.hu[lung]) < -780
    left, right = volumes
    assert 1.2 < left < right < 3.5
    assert not healthy.labels.any()


def test_without_noise_air_is_air_and_bone_is_there(healthy: Phantom) -> None:
    assert (healthy.hu[:, 0] == -1000).all()
    bone_ml = (healthy.hu > 300).sum() * 27e-3
    assert bone_ml > 300
    tissue = healthy.hu[(healthy.hu > -150) & (healthy.hu < 90)]
    assert (tissue < -60).sum() > 0.2 * tissue.size


def test_another_spacing_shows_the_same_patient(sick: Phantom) -> None:
    fine, coarse = sick, make_phantom(PhantomSpec(seed=2, spacing_mm=(2.1, 2.1, 5.0), orientation="RAS"))
    to_fine = np.linalg.inv(fine.affine) @ coarse.affine
    indices = np.indices(coarse.labels.shape).reshape(3, -1)
    places = to_fine[:3, :3] @ indices + to_fine[:3, 3:]
    for name, label, least in (("lungs", 1, 0.97), ("lungs", 2, 0.97), ("labels", 1, 0.9), ("labels", 3, 0.9)):
        there = map_coordinates((getattr(fine, name) == label).astype(np.float32), places, order=1) > 0.5
        here = (getattr(coarse, name) == label).ravel()
        assert 2 * (there & here).sum() / (there.sum() + here.sum()) > least


def test_lesions_can_be_chosen_and_leave_the_patient_as_he_is(healthy: Phantom) -> None:
    only = make_phantom(PhantomSpec(seed=2, spacing_mm=(3.0, 3.0, 3.0), lesions=("ground_glass",), noise=0))
    assert set(np.unique(only.labels)) == {0, GROUND_GLASS}
    np.testing.assert_array_equal(only.lungs, healthy.lungs)
    elsewhere = ~binary_dilation(only.lungs > 0, iterations=4)
    np.testing.assert_array_equal(only.hu[elsewhere], healthy.hu[elsewhere])


def test_severity_grows_the_lesions() -> None:
    few, many = (
        (make_phantom(PhantomSpec(seed=3, spacing_mm=(8.0, 8.0, 8.0), severity=s)).labels > 0).sum() for s in (0.1, 0.9)
    )
    assert many > 2 * few


def test_oblique_grid_is_orthonormal_and_shows_the_same_patient(healthy: Phantom) -> None:
    oblique = make_phantom(PhantomSpec(seed=2, spacing_mm=(4.0, 4.0, 5.0), oblique_degrees=17.0, lesions=(), noise=0))
    axes = oblique.affine[:3, :3] / np.array([4.0, 4.0, 5.0])
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    assert (np.abs(axes).max(axis=0) < 0.999).all()
    here, there = (world_of(p, p.lungs == 2).mean(axis=0) for p in (oblique, healthy))
    np.testing.assert_allclose(here, there, atol=3.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": -1},
        {"shape": (0, 5, 5)},
        {"spacing_mm": (1.0, 1.0, 0.0)},
        {"lesions": ("nodule",)},
        {"severity": 1.5},
        {"noise": -1.0},
        {"orientation": "XYZ"},
    ],
)
def test_wrong_specs_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong))):
        PhantomSpec(**wrong)  # type: ignore[arg-type]

"""Lungs on the native grid of bodies made of ellipsoids: overlap of each side on every kind of grid."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from transforms.anatomy import native_lungs

SIZE_MM = (380, 290, 250)
SPACING = (1.6, 1.6, 2.5)


class Chest:
    """Draws in the patient's millimetres (RAS+), the middle of the volume at the origin."""

    def __init__(self, spacing_mm=SPACING, codes=(-1, -1, 1), degrees=0.0) -> None:
        axis = np.array([0.6, 0.35, 0.72]) / np.linalg.norm([0.6, 0.35, 0.72])
        turn = Rotation.from_rotvec(np.deg2rad(degrees) * axis).as_matrix()
        shape = [round(size / step) for size, step in zip(SIZE_MM, spacing_mm, strict=True)]
        self.affine = np.eye(4)
        self.affine[:3, :3] = turn @ np.diag(codes) @ np.diag(spacing_mm)
        self.affine[:3, 3] = -self.affine[:3, :3] @ ((np.array(shape) - 1) / 2)
        index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
        places = index @ self.affine[:3, :3].T + self.affine[:3, 3]
        self.x, self.y, self.z = np.moveaxis(places, -1, 0)
        self.hu = np.full(shape, -1000.0)
        self.hu[self.ellipsoid((0, 0, 0), (165, 115, 900))] = 30
        self.hu[self.ellipsoid((0, -128, 0), (160, 8, 900))] = 150  # table
        self.left = self.ellipsoid((-78, 0, 0), (58, 80, 105))
        self.right = self.ellipsoid((78, 0, 0), (58, 80, 105))
        self.hu[self.left | self.right] = -850

    def ellipsoid(self, centre, half_axes) -> NDArray[np.bool_]:
        points = zip((self.x, self.y, self.z), centre, half_axes, strict=True)
        return sum(((at - middle) / half) ** 2 for at, middle, half in points) <= 1

    def scan(self, noise=40.0) -> NDArray[np.int16]:
        noisy = self.hu + np.random.default_rng(0).normal(0, noise, self.hu.shape)
        return np.clip(noisy, -1024, 3071).astype(np.int16)


def dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return float(2 * (found & truth).sum() / max(1, found.sum() + truth.sum()))


def assert_both(chest: Chest, least: float, noise: float = 40.0) -> NDArray[np.uint8]:
    found = native_lungs(chest.scan(noise), chest.affine)
    assert found.dtype == np.uint8
    assert found.shape == chest.hu.shape
    assert dice(found == 1, chest.left) > least
    assert dice(found == 2, chest.right) > least
    return found


@pytest.mark.parametrize("codes", [(-1, -1, 1), (1, 1, 1), (1, -1, -1)])
def test_each_side_on_its_own_grid(codes):
    assert_both(Chest(codes=codes), 0.99)


def test_axes_in_any_order_in_memory():
    chest = Chest()
    scan, order = chest.scan(), (2, 0, 1)
    affine = chest.affine.copy()
    affine[:3, :3] = affine[:3, list(order)]
    found = native_lungs(np.asfortranarray(scan), chest.affine)
    assert np.array_equal(native_lungs(scan.transpose(order), affine), found.transpose(order))
    # A mirrored index begins its reduced grids at the same voxel, but rounds halves of an index to the other side.
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    mirror[0, 3] = scan.shape[0] - 1
    assert (native_lungs(scan[::-1], chest.affine @ mirror) == found[::-1]).mean() > 0.999


def test_oblique_grids():
    assert_both(Chest(degrees=15), 0.985)


@pytest.mark.parametrize(("spacing_mm", "least"), [((1.0, 1.0, 5.0), 0.985), ((2.0, 2.0, 8.0), 0.975)])
def test_thick_slices(spacing_mm, least):
    assert_both(Chest(spacing_mm), least)


@pytest.mark.parametrize("noise", [0.0, 120.0])
def test_sharp_and_smooth_kernels(noise):
    assert_both(Chest(), 0.985, noise)


def test_vessels_and_lesions_at_the_pleura_belong_to_the_lung():
    chest = Chest()
    vessel = chest.ellipsoid((78, 0, 0), (4, 4, 80))
    inside = chest.ellipsoid((-80, 10, 20), (13, 13, 13))
    at_wall = chest.ellipsoid((-122, 0, 0), (14, 18, 18)) & chest.left
    chest.hu[vessel | inside | at_wall] = 40
    found = assert_both(chest, 0.985)
    assert (found[vessel] == 2).mean() > 0.99
    assert (found[inside] == 1).mean() > 0.99
    assert (found[at_wall] == 1).mean() > 0.8


def test_the_windpipe_is_no_lung():
    chest = Chest()
    windpipe = chest.ellipsoid((0, -10, 125), (9, 9, 100))
    chest.hu[windpipe] = -1000
    found = assert_both(chest, 0.985)
    assert (found[windpipe] > 0).mean() < 0.02


@pytest.mark.parametrize("side", [1, 2])
def test_one_lung_alone(side):
    chest = Chest()
    lung, other = (chest.left, chest.right)[:: 1 if side == 1 else -1]
    chest.hu[other] = 30
    found = native_lungs(chest.scan(), chest.affine)
    assert dice(found == side, lung) > 0.98
    assert not (found == 3 - side).any()


@pytest.mark.parametrize("side", [1, 2])
@pytest.mark.parametrize("where", ["below", "behind"])
def test_half_a_lung_consolidated(side, where):
    chest = Chest()
    lung = chest.left if side == 1 else chest.right
    chest.hu[lung & ((chest.z if where == "below" else chest.y) < 0)] = 35
    assert_both(chest, 0.97)


def test_fluid_instead_of_half_a_lung_is_no_lung():
    chest = Chest()
    fluid = chest.right & (chest.z < 0)
    chest.hu[fluid] = 8
    found = native_lungs(chest.scan(), chest.affine)
    assert (found[fluid] > 0).mean() < 0.05


def test_a_raised_diaphragm_is_no_lung():
    chest = Chest()
    dome = chest.ellipsoid((78, 0, -90), (45, 65, 110)) & chest.right
    chest.hu[dome] = 55
    found = native_lungs(chest.scan(), chest.affine)
    assert (found[dome] > 0).mean() < 0.05


def test_no_lungs_are_an_empty_mask():
    chest = Chest()
    chest.hu[chest.left | chest.right] = 30
    found = native_lungs(chest.scan(), chest.affine)
    assert found.shape == chest.hu.shape
    assert not found.any()
    assert not native_lungs(np.full((20, 20, 20), -1000, np.int16), np.eye(4)).any()


def test_float_volumes_are_read_and_not_changed():
    chest = Chest()
    hu = chest.scan().astype(np.float32)
    before = hu.copy()
    found = native_lungs(hu, chest.affine)
    assert np.array_equal(found, native_lungs(hu.astype(np.int16), chest.affine))
    assert np.array_equal(hu, before)

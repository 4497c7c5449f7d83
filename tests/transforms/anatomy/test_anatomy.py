"""Body and lung masks of bodies made of ellipsoids: overlap, sides, and what is no lung."""

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from transforms.anatomy import body_mask, lung_masks
from transforms.anatomy.airways import airway_mask

SPACING = (4.0, 4.0, 4.0)
SIZE_MM = (400, 320, 280)


class Chest:
    """Draws in millimetres from the middle of the volume: x to the patient's right, y to the front, z to the head."""

    def __init__(self, spacing_mm=SPACING, size_mm=SIZE_MM) -> None:
        axes = [np.arange(-size / 2, size / 2, spacing) for size, spacing in zip(size_mm, spacing_mm, strict=True)]
        self.x, self.y, self.z = np.meshgrid(*axes, indexing="ij")
        self.spacing_mm = spacing_mm
        self.hu = np.full(self.x.shape, -1000.0)
        self.body = self.column((0, 0), (160, 105))
        self.left = np.zeros(self.x.shape, dtype=bool)
        self.right = np.zeros(self.x.shape, dtype=bool)
        self.hu[self.column((0, -150), (250, 12))] = 150  # table top
        self.hu[self.column((0, -150), (250, 6))] = -900  # its foam
        self.hu[self.body] = 30
        self.hu[self.column((0, -60), (22, 22))] = 400  # spine

    def column(self, centre, half_axes) -> NDArray[np.bool_]:
        return ((self.x - centre[0]) / half_axes[0]) ** 2 + ((self.y - centre[1]) / half_axes[1]) ** 2 <= 1

    def ellipsoid(self, centre, half_axes) -> NDArray[np.bool_]:
        points = zip((self.x, self.y, self.z), centre, half_axes, strict=True)
        return sum(((at - middle) / half) ** 2 for at, middle, half in points) <= 1

    def with_lungs(self, hu=-850.0, apart=76.0, left=True, right=True) -> "Chest":
        if left:
            self.left = self.ellipsoid((-apart, 0, 0), (58, 80, 110))
        if right:
            self.right = self.ellipsoid((apart, 0, 0), (58, 80, 110)) & ~self.left
        self.hu[self.lungs] = hu
        return self

    def with_airway(self) -> "Chest":
        self.trachea = self.column((0, -10), (10, 10)) & (self.z > 20)
        along = np.clip((20 - self.z) / 60, 0, 1)
        bronchi = (
            (np.abs(np.abs(self.x) - 40 * along) < 8) & (np.abs(self.y + 10) < 8) & (self.z <= 20) & (self.z > -40)
        )
        self.airway = (self.trachea | bronchi) & ~self.lungs
        wall = ndimage.binary_dilation(self.airway) & ~self.airway & ~self.lungs
        self.hu[wall] = 0
        self.hu[self.airway] = -1000
        return self

    @property
    def lungs(self) -> NDArray[np.bool_]:
        return self.left | self.right

    def scan(self, noise=40.0) -> NDArray[np.int16]:
        noisy = self.hu + np.random.default_rng(0).normal(0, noise, self.hu.shape)
        return np.clip(noisy, -1024, 3071).astype(np.int16)


def dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return float(2 * (found & truth).sum() / max(1, found.sum() + truth.sum()))


def assert_both(chest: Chest, least: float, noise: float = 40.0) -> NDArray[np.uint8]:
    found = lung_masks(chest.scan(noise), chest.spacing_mm)
    assert found.dtype == np.uint8
    assert dice(found == 1, chest.left) > least
    assert dice(found == 2, chest.right) > least
    return found


def test_the_body_is_without_table_and_with_lungs():
    chest = Chest().with_lungs().with_airway()
    body = body_mask(chest.scan(), SPACING)
    assert body.dtype == bool
    assert dice(body, chest.body) > 0.98


def test_an_arm_at_the_side_is_left_out_and_both_legs_stay():
    chest = Chest()
    chest.hu[chest.column((185, 0), (12, 30))] = 30
    assert dice(body_mask(chest.scan(), SPACING), chest.body) > 0.98
    legs = Chest()
    legs.hu[:] = -1000
    both = legs.column((-80, 0), (60, 70)) | legs.column((80, 0), (60, 70))
    legs.hu[both] = 30
    assert dice(body_mask(legs.scan(), SPACING), both) > 0.98


def test_an_empty_volume_has_no_body_and_no_lungs():
    for value in (-1000, -3024):
        hu = np.full((30, 31, 32), value, dtype=np.int16)
        assert not body_mask(hu, SPACING).any()
        assert not lung_masks(hu, SPACING).any()


def test_a_volume_full_of_tissue_is_all_body_without_lungs():
    hu = np.full((30, 31, 32), 40, dtype=np.int16)
    assert body_mask(hu, SPACING).all()
    assert not lung_masks(hu, SPACING).any()


def test_lungs_and_their_sides():
    found = assert_both(Chest().with_lungs().with_airway(), 0.97)
    centre_of = {side: ndimage.center_of_mass(found == side)[0] for side in (1, 2)}
    assert centre_of[1] < centre_of[2], "the patient's left is at low x"


def test_the_windpipe_is_no_lung():
    chest = Chest().with_lungs().with_airway()
    hu = chest.scan()
    assert lung_masks(hu, SPACING)[chest.trachea].mean() < 0.02
    assert airway_mask(hu, chest.body & (hu < -400), 50.0, SPACING)[chest.trachea].mean() > 0.95


@pytest.mark.parametrize("noise", [0.0, 120.0])
def test_sharp_and_smooth_kernels(noise):
    assert_both(Chest().with_lungs().with_airway(), 0.95, noise)


@pytest.mark.parametrize("hu", [-920.0, -700.0, -550.0])
def test_emphysema_and_ground_glass_are_lung(hu):
    assert_both(Chest().with_lungs(hu=hu), 0.95)


def test_lungs_that_touch_are_parted():
    chest = Chest()
    chest.left = chest.ellipsoid((-42, 0, 0), (74, 80, 110))  # the larger lung reaches over the middle
    chest.right = chest.ellipsoid((86, 0, 0), (54, 80, 110))
    chest.hu[chest.lungs | chest.ellipsoid((32, 0, 0), (30, 8, 40))] = -850
    assert_both(chest, 0.96)


@pytest.mark.parametrize("spacing_mm", [(4.0, 4.0, 8.0), (3.0, 3.0, 5.0)])
def test_thick_slices(spacing_mm):
    assert_both(Chest(spacing_mm).with_lungs().with_airway(), 0.95)


@pytest.mark.parametrize(
    ("height_mm", "least"), [((-20, 20), 0.95), ((30, 140), 0.93), ((-140, -30), 0.95), ((-2, 6), 0.95)]
)
def test_part_of_the_chest(height_mm, least):
    chest = Chest().with_lungs().with_airway()
    slices = (chest.z[0, 0] >= height_mm[0]) & (chest.z[0, 0] <= height_mm[1])
    found = lung_masks(chest.scan()[:, :, slices], SPACING)
    assert dice(found == 1, chest.left[:, :, slices]) > least
    assert dice(found == 2, chest.right[:, :, slices]) > least


@pytest.mark.parametrize("padding", [-2000, -3024])
def test_padding_outside_the_field_of_view(padding):
    chest = Chest().with_lungs().with_airway()
    chest.hu = np.where(chest.column((0, 0), (160, 160)), chest.hu, padding)
    hu = np.where(chest.hu == padding, padding, chest.scan()).astype(np.int16)
    found = lung_masks(hu, SPACING)
    assert dice(found == 1, chest.left) > 0.95
    assert dice(found == 2, chest.right) > 0.95


def test_lungs_cut_by_a_round_field_of_view():
    chest = Chest().with_lungs().with_airway()
    seen = chest.column((0, 0), (118, 118))
    found = lung_masks(np.where(seen, chest.scan(), -2000).astype(np.int16), SPACING)
    assert dice(found == 1, chest.left & seen) > 0.95
    assert dice(found == 2, chest.right & seen) > 0.95


def test_lungs_cut_by_a_small_field_of_view():
    chest = Chest().with_lungs().with_airway()
    view = np.s_[22:78, :, :]
    found = lung_masks(chest.scan()[view], SPACING)
    assert dice(found == 1, chest.left[view]) > 0.93
    assert dice(found == 2, chest.right[view]) > 0.93


def test_vessels_and_a_dense_lesion_inside_belong_to_the_lung():
    chest = Chest().with_lungs().with_airway()
    lesion = chest.ellipsoid((76, 0, 20), (14, 14, 14))
    chest.hu[lesion | (chest.lungs & chest.column((70, 10), (4, 4)))] = 50
    found = assert_both(chest, 0.97)
    assert (found[lesion] == 2).mean() > 0.98


def test_half_a_consolidated_lung_keeps_the_sides():
    chest = Chest().with_lungs().with_airway()
    chest.hu[chest.right & (chest.z < 0)] = 40
    found = lung_masks(chest.scan(), SPACING)
    upper = chest.right & (chest.z >= 0)
    assert dice(found == 1, chest.left) > 0.97
    assert (found[upper] == 2).mean() > 0.95
    assert dice(found == 2, upper) > 0.9


def test_a_block_in_the_middle_does_not_lose_what_is_below():
    chest = Chest().with_lungs().with_airway()
    chest.hu[chest.left & (np.abs(chest.z + 30) < 28)] = 40
    found = lung_masks(chest.scan(), SPACING)
    aerated = chest.left & (chest.hu < -500)
    assert (found[aerated] == 1).mean() > 0.95
    assert dice(found == 2, chest.right) > 0.97


@pytest.mark.parametrize("side", [1, 2])
def test_one_lung_alone(side):
    chest = Chest().with_lungs(left=side == 1, right=side == 2).with_airway()
    found = lung_masks(chest.scan(), SPACING)
    assert dice(found == side, chest.lungs) > 0.97
    assert not (found == 3 - side).any()


@pytest.mark.parametrize("noise", [0.0, 60.0])
@pytest.mark.parametrize("radius_mm", [45, 52])
def test_a_lung_around_a_giant_bulla_is_lung(radius_mm, noise):
    chest = Chest().with_lungs().with_airway()
    bulla = chest.ellipsoid((80, 5, 35), (radius_mm, radius_mm, 1.2 * radius_mm)) & chest.right
    chest.hu[bulla] = -1000
    assert_both(chest, 0.95, noise)


def test_what_is_no_lung():
    leg = Chest()
    leg.hu[leg.column((0, 0), (14, 14))] = 800
    assert not lung_masks(leg.scan(), SPACING).any()
    head = Chest(size_mm=(240, 260, 200))
    for side in (-1, 1):
        head.hu[head.ellipsoid((side * 28, 60, 0), (16, 18, 18))] = -1000  # sinuses
    assert not lung_masks(head.scan(), head.spacing_mm).any()
    abdomen = Chest()
    abdomen.hu[abdomen.ellipsoid((-70, 50, 20), (45, 30, 40))] = -1000  # gas in the stomach
    abdomen.hu[(abdomen.column((90, 20), (18, 18))) & (np.abs(abdomen.z) < 90)] = -1000  # and in the gut
    assert not lung_masks(abdomen.scan(), SPACING).any()
    colon = Chest()
    colon.hu[colon.ellipsoid((-40, 30, 0), (100, 45, 80))] = -1000  # 1.5 litres
    assert not lung_masks(colon.scan(noise=100.0), SPACING).any()


def test_the_input_is_not_changed():
    hu = Chest().with_lungs().scan().astype(np.float32)
    before = hu.copy()
    lung_masks(hu, SPACING)
    body_mask(hu, SPACING)
    assert np.array_equal(hu, before)


DATA = Path(os.environ.get("CTVOL_DATA", "not set"))


def coarse(path: Path) -> tuple[NDArray[np.int16], tuple[float, ...]]:
    """A real volume at about 4 mm, turned to RAS+."""
    sitk = pytest.importorskip("SimpleITK")
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(path)) if path.is_dir() else str(path)
    image = sitk.ReadImage(names)
    voxels = sitk.GetArrayFromImage(image).transpose(2, 1, 0)
    turned = voxels[::-1, ::-1] if image.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1) else None
    assert turned is not None, "the test expects axial LPS volumes"
    steps = [max(1, round(4 / spacing)) for spacing in image.GetSpacing()]
    spacing_mm = tuple(spacing * step for spacing, step in zip(image.GetSpacing(), steps, strict=True))
    return turned[:: steps[0], :: steps[1], :: steps[2]].astype(np.int16), spacing_mm


@pytest.mark.parametrize(
    ("folder", "left_ml", "right_ml"),
    [("chest-lidc-0314", (1800, 2100), (850, 1050)), ("chest-lung-dx-a0002/series-3-B40f", (1450, 1750), (1000, 1250))],
)
def test_lungs_of_real_chests(folder, left_ml, right_ml):
    if not (DATA / folder).is_dir():
        pytest.skip("CTVOL_DATA does not hold the development data")
    hu, spacing_mm = coarse(DATA / folder)
    found = lung_masks(hu, spacing_mm)
    ml = [(found == side).sum() * np.prod(spacing_mm) / 1000 for side in (1, 2)]
    assert left_ml[0] < ml[0] < left_ml[1]
    assert right_ml[0] < ml[1] < right_ml[1]


def test_extremities_have_no_lungs():
    cases = sorted((DATA / "sts-ct").glob("STS_*/CT_image.nii.gz"))
    if not cases:
        pytest.skip("CTVOL_DATA does not hold the development data")
    with_lungs = {case.parent.name for case in cases if lung_masks(*coarse(case)).any()}
    assert with_lungs <= {"STS_005"}, "the upper arm of this one lies beside a piece of lung"

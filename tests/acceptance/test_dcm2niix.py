"""dcm2niix and `read_ct` agree on every voxel and its place, or it is written here which of them is wrong.

dcm2niix keeps its affine in single precision: that, and nothing else, is what the tolerance is for.
"""

import nibabel as nib
import numpy as np
import pydicom
import pytest

from transforms.errors import GeometryError
from transforms.reading import read_ct

pytestmark = pytest.mark.service

TOLERANCE_MM = 1e-3
PADDING_HU = -1024  # where a shifted slice has nothing
VIEWS = [
    "axial", "oblique", "reversed", "sagittal", "sagittal from the left", "coronal", "oblique sagittal",
    "prone", "feet first",
]  # fmt: skip
REAL = [
    "chest-lidc-0314",
    "chest-lung-dx-a0002/series-3-B40f",
    "chest-lung-dx-a0002/series-2-B70f",
    "awkward/totalseg-example/example_ct_dicom",
]


@pytest.fixture
def converted(run_program, tmp_path):
    """A function that lets dcm2niix convert a folder and returns its images by name."""

    def convert(folder):
        out = tmp_path / "converted"
        out.mkdir()
        done = run_program("dcm2niix", "-b", "n", "-z", "n", "-f", "ct", "-o", out, folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return {path.stem: nib.load(path) for path in out.glob("*.nii")}

    return convert


@pytest.fixture
def bent(series_of, tmp_path):
    """A function that writes the axial series with each slice changed, or left out where the change returns `False`."""

    def bend(change):
        folder = tmp_path / "bent"
        folder.mkdir()
        for index, path in enumerate(series_of("axial").files):
            dataset = pydicom.dcmread(path)
            if change(dataset, index) is not False:
                dataset.save_as(folder / path.name)
        return folder

    return bend


def agree(folder, converted):
    volume, (image,) = read_ct(folder), converted(folder).values()
    theirs = np.asarray(image.dataobj)
    assert farthest_apart(volume.array, volume.affine, theirs, image.affine) < TOLERANCE_MM


def farthest_apart(ours: np.ndarray, our_affine: np.ndarray, theirs: np.ndarray, their_affine: np.ndarray) -> float:
    """Checks that two volumes have the same voxels, however their axes run.

    Returns the largest distance of two voxels that should be one, in millimetres.
    """
    to_theirs = np.rint(np.linalg.inv(their_affine) @ our_affine)[:3, :3].astype(int)
    assert np.array_equal(np.abs(to_theirs).sum(axis=0), [1, 1, 1]), f"the grids differ: {to_theirs.tolist()}"
    order = [int(np.flatnonzero(column)[0]) for column in to_theirs.T]
    backwards = [axis for axis in range(3) if to_theirs[order[axis], axis] < 0]
    np.testing.assert_array_equal(np.flip(theirs.transpose(order), backwards), ours)
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) * (np.array(ours.shape) - 1)
    their_corners = np.empty_like(corners)
    for axis in range(3):
        along = corners[:, axis]
        their_corners[:, order[axis]] = ours.shape[axis] - 1 - along if axis in backwards else along
    return float(np.linalg.norm(place(our_affine, corners) - place(their_affine, their_corners), axis=1).max())


def place(affine: np.ndarray, indices: np.ndarray) -> np.ndarray:
    return indices @ affine[:3, :3].T + affine[:3, 3]


@pytest.mark.parametrize("view", VIEWS)
def test_generated_series(view, series_of, converted):
    agree(series_of(view).folder, converted)


@pytest.mark.parametrize("name", REAL)
def test_real_series(name, real_data, converted):
    agree(real_data / name, converted)


def hu_of(dataset):
    return dataset.pixel_array.astype(int) * int(dataset.RescaleSlope) + int(dataset.RescaleIntercept)


def alternating_intercepts(dataset, index):
    hu, dataset.RescaleIntercept = hu_of(dataset), (-1024, -1000)[index % 2]
    dataset.PixelData = (hu - dataset.RescaleIntercept).clip(0).astype("<u2").tobytes()


def alternating_slopes(dataset, index):
    hu, dataset.RescaleSlope = hu_of(dataset), (1, 2)[index % 2]
    dataset.PixelData = ((hu + 1024) // dataset.RescaleSlope).astype("<u2").tobytes()


def half_slope(dataset, index):
    dataset.RescaleSlope = "0.5"


def shuffled_instance_numbers(dataset, index):
    dataset.InstanceNumber = index * 7 % 36 + 1


def overlapping_slices(dataset, index):
    dataset.SliceThickness, dataset.SpacingBetweenSlices = 12, 4


def first_slice_alone(dataset, index):
    return index == 0


@pytest.mark.parametrize(
    "change",
    [
        alternating_intercepts,
        alternating_slopes,
        half_slope,
        shuffled_instance_numbers,
        overlapping_slices,
        first_slice_alone,
    ],
    ids=lambda change: change.__name__,
)
def test_series_with_odd_headers(change, bent, converted):
    agree(bent(change), converted)


def test_dcm2niix_closes_a_gap_and_moves_what_lies_behind_it_so_the_reader_refuses(bent, converted, series_of):
    """dcm2niix is wrong: all slices above the missing one land 8 mm too low in `ct.nii`."""
    folder = bent(lambda dataset, index: index != 10)
    with pytest.raises(GeometryError, match="missing"):
        read_ct(folder)
    image, phantom = converted(folder)["ct"], series_of("axial").phantom
    assert image.shape[2] == phantom.hu.shape[2] - 1
    theirs = np.flip(np.asarray(image.dataobj), axis=1)  # rows run from the back to the front there
    np.testing.assert_array_equal(theirs[..., 10], phantom.hu[..., 11])
    height = (image.affine @ [0, 0, 10, 1])[2]
    assert (phantom.affine @ [0, 0, 11, 1])[2] - height == pytest.approx(8.0)


def tilted(degrees):
    """A change that leans the planes of the slices about their rows, as a gantry does; the table moves as before."""
    lean = np.deg2rad(degrees)

    def change(dataset, index):
        dataset.Manufacturer, dataset.GantryDetectorTilt = "SIEMENS", degrees  # dcm2niix wants to know whose tilt it is
        dataset.ImageOrientationPatient = [1, 0, 0, 0, round(np.cos(lean), 9), round(-np.sin(lean), 9)]

    return change


def agree_on_a_tilted_series(folder, converted):
    """On every voxel that lies between rows of its slice; at a slice's edge dcm2niix goes on where the reader pads."""
    volume, image = read_ct(folder, allow=["tilt"]), converted(folder)["ct_Tilt_1"]
    np.testing.assert_allclose(np.linalg.inv(image.affine) @ volume.affine, turned_rows(volume.array), atol=1e-3)
    theirs = np.asarray(image.dataobj)[:, ::-1]
    inside = volume.array != PADDING_HU
    assert inside.mean() > 0.75
    np.testing.assert_allclose(theirs[inside], volume.array[inside], rtol=0, atol=0.6)  # it rounds to whole HU


def turned_rows(array):
    affine = np.diag([1.0, -1.0, 1.0, 1.0])
    affine[1, 3] = array.shape[1] - 1
    return affine


def test_a_series_with_positive_tilt(bent, converted):
    agree_on_a_tilted_series(bent(tilted(14)), converted)


def test_a_real_series_with_tilt(real_data, converted):
    agree_on_a_tilted_series(real_data / "awkward/dicom2nifti-failing/gantrytilting/001", converted)


def test_dcm2niix_takes_slices_of_negative_tilt_out_of_their_planes(bent, converted):
    """dcm2niix is wrong: to straighten a stack, slices are shifted in their planes, and its volume leaves these."""
    folder = bent(tilted(-14))
    first = pydicom.dcmread(min(folder.iterdir()))
    row, column = np.reshape(first.ImageOrientationPatient, (2, 3)).astype(float)
    normal = np.cross(row, column) * [-1, -1, 1]
    in_plane = np.multiply(first.ImagePositionPatient, [-1, -1, 1])
    ours, theirs = read_ct(folder, allow=["tilt"]).affine, converted(folder)["ct_Tilt_1"].affine
    assert (ours[:3, 3] - in_plane) @ normal == pytest.approx(0, abs=1e-6)
    assert abs((theirs[:3, 3] - in_plane) @ normal) > 30

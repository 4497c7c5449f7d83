"""Volumes of any geometry, written as DICOM and as NIfTI: read back to the same place and values, or refused.

Each property is tried on a few examples in the fast tier and on many in the slow one, the same ones at every run.
"""

import shutil
from dataclasses import dataclass
from itertools import count

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from transforms.errors import GeometryError
from transforms.reading import read_ct

TOLERANCE_MM = 1e-3
FACING = [np.eye(3), np.diag([-1.0, 1, -1]), np.diag([-1.0, -1, 1]), np.array([[0, 0, 1.0], [1, 0, 0], [0, -1, 0]]),
          np.array([[1, 0, 0], [0, 0, 1.0], [0, -1, 0]])]  # fmt: skip
"""Axial head-first, feet-first, prone; sagittal; coronal: as rows, columns and normal in the columns, LPS."""
_folders = count()


@dataclass(frozen=True)
class Geometry:
    """How a volume lies and is stored."""

    axes: np.ndarray  # columns: rows, columns, slices; left-handed where the stack runs against its normal
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    shape: tuple[int, int, int]
    seed: int
    signed: bool
    slope: float
    intercept: float
    position: str

    def series(self, make):
        """The volume as DICOM, not yet written."""
        made = make(
            f"case{next(_folders)}", shape=self.shape, spacing=self.spacing, origin=self.origin, axes=self.axes,
            slopes=(self.slope,), intercepts=(self.intercept,), signed=self.signed, seed=self.seed,
        )  # fmt: skip
        for dataset in made.slices:
            dataset.PatientPosition = self.position
        return made

    @property
    def order(self):
        """In which the files are named."""
        return np.random.default_rng(self.seed).permutation(self.shape[2])


@st.composite
def geometries(draw, slices=(2, 6)):
    turn = Rotation.from_euler("xyz", draw(st.tuples(*[st.floats(-180, 180)] * 3)), degrees=True).as_matrix()
    axes = draw(st.sampled_from([np.eye(3), turn])) @ draw(st.sampled_from(FACING))
    signed = draw(st.booleans())
    return Geometry(
        axes=axes * [1, 1, draw(st.sampled_from([1, -1]))],
        spacing=tuple(round(draw(st.floats(0.3, 5.0)), 4) for _ in range(3)),
        origin=tuple(round(draw(st.floats(-900, 900)), 3) for _ in range(3)),
        shape=(draw(st.integers(2, 7)), draw(st.integers(2, 7)), draw(st.integers(*slices))),
        seed=draw(st.integers(0, 10_000)),
        signed=signed,
        slope=draw(st.sampled_from([1.0, 2.0, 0.5, 3.0])),
        intercept=draw(st.sampled_from([0.0, -1024.0, 24.0] if signed else [-1024.0, -1000.0, -8192.0])),
        position=draw(st.sampled_from(["HFS", "FFS", "HFP", "FFDR"])),
    )


def holds(**strategies):
    """A test of a property, called with what makes series, a folder, and an example."""

    def decorate(check):
        @pytest.mark.parametrize("examples", [12, pytest.param(250, marks=pytest.mark.slow)])
        def test(examples, dicom_series, tmp_path):
            @settings(max_examples=examples, derandomize=True, database=None, deadline=None)
            @given(**strategies)
            def example(**drawn):
                try:
                    check(dicom_series, tmp_path, **drawn)
                finally:
                    for folder in tmp_path.iterdir():
                        shutil.rmtree(folder)

            example()

        return test

    return decorate


def lies_on(volume, hu, affine):
    """Each voxel of a volume holds what `hu` has at its place in the patient."""
    index = np.stack(np.meshgrid(*map(np.arange, volume.array.shape), indexing="ij"), axis=-1).reshape(-1, 3)
    place = index @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    there = np.rint((place - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T).astype(int)
    apart = np.linalg.norm(there @ affine[:3, :3].T + affine[:3, 3] - place, axis=1)
    assert apart.max() <= TOLERANCE_MM
    assert volume.array.size == hu.size
    np.testing.assert_array_equal(volume.array.reshape(-1), hu[tuple(there.T)])


def save_nifti(path, hu, affine, dtype="f4"):
    path.parent.mkdir(exist_ok=True)
    image = nib.Nifti1Image(hu.astype(dtype), affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


def shift(dataset, offset):
    """Moves a slice, LPS millimetres."""
    place = np.array(dataset.ImagePositionPatient, dtype=float) + offset
    dataset.ImagePositionPatient = [f"{value:.6f}"[:16] for value in place]


def unit_normal(geometry):
    return np.cross(geometry.axes[:, 0], geometry.axes[:, 1])


@holds(geometry=geometries())
def test_dicom_comes_back_to_its_place(make, folder, geometry):
    series = geometry.series(make)
    volume = read_ct(series.write(geometry.order))
    lies_on(volume, series.hu, series.affine_ras)
    assert np.linalg.det(volume.affine[:3, :3]) > 0  # slices lie along their normal, whichever way they were stacked


@holds(geometry=geometries(), dtype=st.sampled_from(["i2", "i4", "f4", "f8"]), ending=st.sampled_from(["", ".gz"]))
def test_nifti_comes_back_to_its_place(make, folder, geometry, dtype, ending):
    series = geometry.series(make)
    hu = np.rint(series.hu)
    volume = read_ct(save_nifti(folder / "nifti" / f"ct.nii{ending}", hu, series.affine_ras, dtype))
    lies_on(volume, hu, series.affine_ras)
    np.testing.assert_allclose(volume.affine, series.affine_ras, rtol=0, atol=TOLERANCE_MM)


@holds(geometry=geometries())
def test_dicom_and_nifti_of_one_volume_are_equal_in_the_patient(make, folder, geometry):
    series = geometry.series(make)
    dicom = read_ct(series.write(geometry.order))
    nifti = read_ct(save_nifti(folder / "nifti" / "ct.nii.gz", series.hu, series.affine_ras))
    lies_on(dicom, nifti.array, nifti.affine)
    lies_on(nifti, dicom.array, dicom.affine)


@holds(geometry=geometries((4, 7)), share=st.floats(0, 0.999))
def test_a_series_without_one_of_its_slices_is_refused(make, folder, geometry, share):
    series = geometry.series(make)
    del series.slices[1 + int(share * (geometry.shape[2] - 2))]
    with pytest.raises(GeometryError, match="seem to be missing"):
        read_ct(series.write())


@holds(geometry=geometries((4, 6)), degrees=st.floats(3, 60), way=st.floats(0, 360))
def test_tilted_series_are_refused(make, folder, geometry, degrees, way):
    series = geometry.series(make)
    across = geometry.axes[:, :2] @ [np.cos(np.radians(way)), np.sin(np.radians(way))]
    for k, dataset in enumerate(series.slices):
        shift(dataset, across * (k + 1) * np.tan(np.radians(degrees)) * max(geometry.spacing[2], 1.0))
    with pytest.raises(GeometryError, match="shifted sideways"):
        read_ct(series.write(geometry.order))


@holds(geometry=geometries((4, 6)), share=st.floats(0.1, 0.9), sign=st.sampled_from([-1, 1]))
def test_a_slice_off_its_place_is_refused(make, folder, geometry, share, sign):
    gap = geometry.spacing[2]
    least = min(0.1, 0.2 * gap) * 1.05  # the tolerance, and a little
    series = geometry.series(make)
    shift(series.slices[2], sign * unit_normal(geometry) * (least + share * (0.95 * gap - least)))
    with pytest.raises(GeometryError, match=r"not evenly spaced|seem to be missing"):
        read_ct(series.write(geometry.order))


@holds(geometry=geometries((4, 6)), share=st.floats(-0.9, 0.9))
def test_a_slice_next_to_its_place_is_taken(make, folder, geometry, share):
    series = geometry.series(make)
    shift(series.slices[1], unit_normal(geometry) * share * min(0.1, 0.2 * geometry.spacing[2]))
    lies_on(read_ct(series.write(geometry.order)), series.hu, series.affine_ras)


@holds(geometry=geometries((3, 6)), degrees=st.floats(0.02, 90), slope=st.floats(1.001, 1.5))
def test_slices_that_differ_are_refused(make, folder, geometry, degrees, slope):
    turned, scaled = geometry.series(make), geometry.series(make)
    axes = Rotation.from_rotvec(unit_normal(geometry) * np.radians(degrees)).as_matrix() @ geometry.axes
    turned.slices[1].ImageOrientationPatient = [f"{value:.9f}"[:16] for value in axes[:, :2].T.ravel()]
    scaled.slices[1].PixelSpacing = [f"{edge * slope:.6f}"[:16] for edge in scaled.slices[1].PixelSpacing]
    for series, tag in ((turned, "ImageOrientationPatient"), (scaled, "PixelSpacing")):
        with pytest.raises(GeometryError, match=f"differ in {tag}"):
            read_ct(series.write(geometry.order))


@holds(geometry=geometries(), offset=st.floats(0.11, 50), axis=st.sampled_from("xyz"))
def test_nifti_whose_places_disagree_is_refused(make, folder, geometry, offset, axis):
    series = geometry.series(make)
    path = save_nifti(folder / "nifti" / "ct.nii", series.hu, series.affine_ras)
    content = bytearray(path.read_bytes())
    header = nib.Nifti1Header(bytes(content[:348]), check=False)
    header[f"qoffset_{axis}"] += offset
    content[:348] = header.binaryblock
    path.write_bytes(content)
    with pytest.raises(GeometryError, match="contradict each other"):
        read_ct(path)


@holds(geometry=geometries(), shear=st.floats(0.01, 0.5), other=st.sampled_from([0, 1]))
def test_sheared_nifti_is_refused(make, folder, geometry, shear, other):
    series = geometry.series(make)
    affine = series.affine_ras.copy()
    affine[:3, 2] += shear * affine[:3, other] / geometry.spacing[other] * geometry.spacing[2]
    path = folder / "nifti" / "ct.nii"
    path.parent.mkdir()
    image = nib.Nifti1Image(series.hu.astype("f4"), affine)
    image.set_qform(None, 0)
    nib.save(image, path)
    with pytest.raises(GeometryError, match="not perpendicular"):
        read_ct(path)

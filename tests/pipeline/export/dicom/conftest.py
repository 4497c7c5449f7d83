"""Small CT series in many attitudes, as files, as a zip and as one enhanced object, with lopsided masks on each."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid

from pipeline.export import BundleIdentity
from pipeline.export.dicom import Source, read_source
from transforms.reading import Volume, read_ct

CLASSES = {"background": 0, "ground_glass": 1, "consolidation": 2, "pleural_effusion": 3}
BUNDLE = BundleIdentity(name="CT lesion segmentation", version="1.2.3", weights_hash="sha256:" + "ab" * 32)
PATIENT = {
    "PatientName": "TELLING^NAME", "PatientID": "SECRET-ID-77", "PatientBirthDate": "19010203", "PatientSex": "O",
    "AccessionNumber": "ACC-88", "StudyDate": "20200102", "StudyTime": "030405", "StudyID": "S9",
    "ReferringPhysicianName": "REFERRER^R", "StudyDescription": "Chest",
}  # fmt: skip

OBLIQUE = np.linalg.qr(np.array([[1.0, 0.2, -0.1], [-0.15, 1.0, 0.25], [0.1, -0.2, 1.0]]))[0]
OBLIQUE *= np.sign(np.diag(OBLIQUE))
ATTITUDES = {
    "axial": np.eye(3),
    "oblique": OBLIQUE,
    "reversed": np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]]),
    "sagittal": np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]]),
    "coronal": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
}
"""Columns: directions of a row, of a column and of the stack as it is numbered, LPS."""

SPACING_MM = (0.7, 0.9, 2.5)


@dataclass(frozen=True)
class Series:
    """A series as it was read, and the truth on it by the place of each voxel."""

    path: Path
    volume: Volume
    label_map: np.ndarray
    lungs: np.ndarray
    datasets: list[Dataset]

    @property
    def source(self) -> Source:
        return read_source(self.volume.meta(), self.volume.affine, self.volume.array.shape)


def lopsided(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A label map and lungs that look different from each side, with slices that have none of a class."""
    rng = np.random.default_rng(7)
    x, y, z = np.indices(shape)
    label_map = np.where(rng.random(shape) < 0.3, rng.integers(1, 4, shape), 0).astype(np.uint8)
    label_map[(z < 1) | (z == shape[2] - 1) | (x > 2 * y + 3)] = 0
    label_map[(z < 3) & (label_map == 2)] = 0
    lungs = np.where(x < shape[0] // 2, 2, 1).astype(np.uint8)
    lungs[(y < 1) | (z == 0)] = 0
    return label_map, lungs


def _header(uids: dict[str, str], shape: tuple[int, int]) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    for keyword, value in (PATIENT | uids).items():
        setattr(dataset, keyword, value)
    dataset.SeriesNumber = 4
    dataset.Columns, dataset.Rows = shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    return dataset


def _place(directions: np.ndarray, index: int) -> list[str]:
    place = np.array([-31.5, 42.25, -100.0]) + directions[:, 2] * SPACING_MM[2] * index
    return [f"{number:.9f}"[:16] for number in place]


def _files(hu: np.ndarray, directions: np.ndarray, uids: dict[str, str]) -> list[Dataset]:
    datasets = []
    for index in range(hu.shape[2]):
        dataset = _header(uids, hu.shape[:2])
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
        dataset.ImagePositionPatient = _place(directions, index)
        dataset.ImageOrientationPatient = [f"{number:.11f}"[:16] for number in directions[:, :2].T.ravel()]
        dataset.PixelSpacing, dataset.SliceThickness = [SPACING_MM[1], SPACING_MM[0]], SPACING_MM[2]
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
        dataset.PixelData = hu[..., index].T.astype("<i2").tobytes()
        datasets.append(dataset)
    return datasets


def _item(**elements: object) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def _enhanced(hu: np.ndarray, directions: np.ndarray, uids: dict[str, str]) -> list[Dataset]:
    dataset = _header(uids, hu.shape[:2])
    dataset.SOPClassUID, dataset.SOPInstanceUID = EnhancedCTImageStorage, generate_uid()
    orientation = [f"{number:.11f}"[:16] for number in directions[:, :2].T.ravel()]
    measures = _item(PixelSpacing=[SPACING_MM[1], SPACING_MM[0]], SliceThickness=SPACING_MM[2])
    dataset.SharedFunctionalGroupsSequence = [
        _item(
            PlaneOrientationSequence=[_item(ImageOrientationPatient=orientation)],
            PixelMeasuresSequence=[measures],
            PixelValueTransformationSequence=[_item(RescaleSlope=1, RescaleIntercept=0)],
        )
    ]
    order = np.random.default_rng(1).permutation(hu.shape[2])  # frames need not lie in the order of the stack
    dataset.PerFrameFunctionalGroupsSequence = [
        _item(PlanePositionSequence=[_item(ImagePositionPatient=_place(directions, int(index)))]) for index in order
    ]
    dataset.NumberOfFrames = len(order)
    dataset.PixelData = b"".join(hu[..., index].T.astype("<i2").tobytes() for index in order)
    return [dataset]


@pytest.fixture
def ct(tmp_path) -> Callable[..., Series]:
    """A function that writes a series, reads it with our reader, and labels it."""

    def make(attitude="axial", form="files", shape=(9, 7, 6), **more) -> Series:
        directions = ATTITUDES[attitude]
        hu = np.random.default_rng(3).integers(-1000, 400, shape)
        names = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
        datasets = (_enhanced if form == "enhanced" else _files)(
            hu, directions, {name: generate_uid() for name in names}
        )
        folder = tmp_path / "ct"
        folder.mkdir()
        for number, dataset in enumerate(datasets):
            for keyword, value in more.items():
                setattr(dataset, keyword, value)
            # Neither names nor places are in the order of the stack.
            dataset.save_as(folder / f"{(number * 5) % 7}_{number}.dcm", enforce_file_format=True)
        path = _zipped(folder) if form == "zip" else folder
        volume = read_ct(path)
        return Series(path, volume, *lopsided(volume.array.shape), datasets)

    return make


def _zipped(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"study/{file.name}")
    return path


def world(dataset: Dataset, position: list[float], mask: np.ndarray) -> np.ndarray:
    """Places `(N, 3)` (LPS) of a mask's pixels, by nothing but DICOM's formula."""
    groups = dataset.get("SharedFunctionalGroupsSequence")
    shared = groups[0] if groups else None
    spacing = np.asarray((shared.PixelMeasuresSequence[0] if shared else dataset).PixelSpacing, float)
    axes = np.asarray((shared.PlaneOrientationSequence[0] if shared else dataset).ImageOrientationPatient, float)
    rows, columns = np.nonzero(mask)
    along_row, along_column = axes[:3] * spacing[1], axes[3:] * spacing[0]
    return np.asarray(position, float) + columns[:, None] * along_row + rows[:, None] * along_column


def sorted_places(places: np.ndarray) -> np.ndarray:
    rounded = np.round(places, 4)
    return rounded[np.lexsort(rounded.T)]


def element_bytes(dataset: Dataset, keyword: str) -> bytes:
    """An element's value as it stands in the file."""
    element = dataset.get_item(keyword)
    assert isinstance(element, pydicom.dataelem.RawDataElement)
    return element.value or b""

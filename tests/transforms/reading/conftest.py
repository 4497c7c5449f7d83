"""DICOM series written by hand, with a known volume and a known place."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

PATIENT = ("TELLING^NAME", "SECRET-ID-77", "19010203")


@dataclass
class Series:
    """A series in memory, one data set a slice, to be bent before it is written."""

    folder: Path
    hu: np.ndarray  # (X, Y, Z)
    affine: np.ndarray  # LPS
    uid: str
    slices: list[Dataset] = field(default_factory=list)

    @property
    def affine_ras(self) -> np.ndarray:
        return np.diag([-1, -1, 1, 1]) @ self.affine

    def write(self, order=None, suffix=".dcm") -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        for number, index in enumerate(order if order is not None else range(len(self.slices))):
            dataset = self.slices[index]
            dataset.save_as(self.folder / f"{self.uid[-4:]}_{number:03d}{suffix}", enforce_file_format=True)
        return self.folder


def _slice(study: str, uid: str, plane: np.ndarray, slope: float, intercept: float, signed: bool) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
    dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = PATIENT
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = study, uid, study + ".9"
    dataset.Rows, dataset.Columns = plane.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = int(signed)
    dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
    stored = np.rint((plane - intercept) / slope)
    dataset.PixelData = stored.astype("<i2" if signed else "<u2").tobytes()
    return dataset


@pytest.fixture
def dicom_series(tmp_path):
    """A function that makes a :class:`Series`; nothing is written before its `write`."""

    def make(
        name="ct", *, shape=(7, 6, 5), spacing=(0.7, 0.8, 2.0), origin=(-10.0, 20.0, -30.0), axes=None,
        slopes=(1.0,), intercepts=(-1024.0,), signed=False, kernel="B30f", seed=0,
    ):  # fmt: skip
        directions = np.eye(3) if axes is None else np.asarray(axes, dtype=float)  # columns: i, j, k
        affine = np.eye(4)
        affine[:3, :3], affine[:3, 3] = directions * spacing, origin
        hu = np.random.default_rng(seed).integers(-1000, 1500, shape).astype(float)
        study = f"1.2.826.0.1.{seed + 1}"
        series = Series(tmp_path / name, hu, affine, generate_uid(entropy_srcs=[name, str(seed)]))
        for k in range(shape[2]):
            slope, intercept = slopes[k % len(slopes)], intercepts[k % len(intercepts)]
            hu[..., k] = np.rint((hu[..., k] - intercept) / slope) * slope + intercept
            dataset = _slice(study, series.uid, hu[..., k].T, slope, intercept, signed)
            dataset.ImageOrientationPatient = [f"{value:.9f}"[:16] for value in directions[:, :2].T.ravel()]
            place = affine @ [0, 0, k, 1]
            dataset.ImagePositionPatient = [f"{value:.6f}"[:16] for value in place[:3]]
            dataset.PixelSpacing, dataset.SliceThickness = [spacing[1], spacing[0]], spacing[2]
            dataset.InstanceNumber, dataset.ConvolutionKernel = k + 1, kernel
            series.slices.append(dataset)
        return series

    return make


@pytest.fixture
def foreign_objects():
    """A function that puts into a folder what lies beside slices: a localizer, a dose report, RT, notes."""

    def put(folder: Path, series: Series):
        for number, change in enumerate(
            (
                {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
                {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "ImageType": ["DERIVED", "SECONDARY", "DOSE_INFO"]},
                {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.3", "Modality": "RTSTRUCT"},
                {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "Modality": "MR"},
            )
        ):
            dataset = pydicom.dcmread(pydicom.filebase.DicomBytesIO(_bytes(series.slices[0])))
            for keyword, value in change.items():
                setattr(dataset, keyword, value)
            dataset.SOPInstanceUID = generate_uid()
            dataset.save_as(folder / f"foreign{number}.dcm", enforce_file_format=True)
        (folder / "README.txt").write_text("notes")
        (folder / ".DS_Store").write_bytes(b"")

    return put


def _bytes(dataset: Dataset) -> bytes:
    buffer = pydicom.filebase.DicomBytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()

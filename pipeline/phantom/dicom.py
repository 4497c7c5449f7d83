"""A phantom as a DICOM series: one CT Image Storage file a slice."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid

from pipeline.phantom.rendering import HU_RANGE, Phantom

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])
_KERNELS = ("B20f", "B31f", "B40f", "B50f")


def write_series(folder: Path, phantom: Phantom, missing: Collection[int] = ()) -> None:
    """Write the slices of a phantom as `000001.dcm` and on, in the order of its last axis.

    Args:
        folder: An existing folder.
        phantom: What to write; slices are planes of constant last index.
        missing: Indices of slices to leave out; the others keep their instance numbers.

    Raises:
        OSError: a file cannot be written.
    """
    common = _common(phantom)
    for index in range(phantom.hu.shape[2]):
        if index not in missing:
            image = _slice(phantom, common, index)
            image.save_as(folder / f"{index + 1:06d}.dcm", enforce_file_format=True)


def _common(phantom: Phantom) -> Dataset:
    """What all slices share; UIDs follow from the spec."""
    spec = phantom.spec
    sharpness = int(np.random.default_rng(spec.seed).integers(len(_KERNELS)))
    d = Dataset()
    d.SOPClassUID = CTImageStorage
    d.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    d.SpecificCharacterSet = "ISO_IR 100"
    d.StudyDate = d.SeriesDate = d.AcquisitionDate = d.ContentDate = "20240102"
    d.StudyTime = d.SeriesTime = d.AcquisitionTime = d.ContentTime = "080000"
    d.AccessionNumber = d.ReferringPhysicianName = d.StudyID = ""
    d.Modality = "CT"
    d.Manufacturer = "ctvol"
    d.ManufacturerModelName = "synthetic chest"
    d.StudyDescription = "Synthetic chest CT"
    d.SeriesDescription = "Phantom"
    d.PatientName = "Phantom^Chest"
    d.PatientID = f"PHANTOM-{spec.seed}"
    d.PatientBirthDate = d.PatientSex = ""
    d.BodyPartExamined = "CHEST"
    d.KVP = "120"
    d.XRayTubeCurrent = "150"
    d.ConvolutionKernel = _KERNELS[sharpness]
    d.PatientPosition = "HFS"
    d.StudyInstanceUID = _uid(phantom, "study")
    d.SeriesInstanceUID = _uid(phantom, "series")
    d.FrameOfReferenceUID = _uid(phantom, "frame")
    d.SeriesNumber, d.AcquisitionNumber = "2", "1"
    d.PositionReferenceIndicator = ""
    _describe_pixels(d, phantom)
    return d


def _describe_pixels(d: Dataset, phantom: Phantom) -> None:
    columns, rows, _ = phantom.hu.shape
    spacing = np.linalg.norm(phantom.affine[:3, :3], axis=0)
    axes = _RAS_TO_LPS @ phantom.affine[:3, :3] / spacing
    d.ImageOrientationPatient = [_number(v) for v in (*axes[:, 0], *axes[:, 1])]
    d.PixelSpacing = [_number(spacing[1]), _number(spacing[0])]
    d.SliceThickness = _number(spacing[2])
    d.Rows, d.Columns = rows, columns
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
    d.RescaleIntercept, d.RescaleSlope, d.RescaleType = str(HU_RANGE[0]), "1", "HU"
    d.WindowCenter, d.WindowWidth = ["-600", "40"], ["1500", "400"]


def _slice(phantom: Phantom, common: Dataset, index: int) -> Dataset:
    image = Dataset()
    image.update(common)
    position = phantom.affine @ np.array([0, 0, index, 1.0])
    image.SOPInstanceUID = _uid(phantom, f"slice {index}")
    image.InstanceNumber = str(index + 1)
    image.ImagePositionPatient = [_number(v) for v in _RAS_TO_LPS @ position[:3]]
    image.SliceLocation = _number(float(position[2]))
    stored = phantom.hu[:, :, index].T.astype(np.int32) - HU_RANGE[0]
    image.PixelData = np.ascontiguousarray(stored, dtype="<u2").tobytes()
    image["PixelData"].VR = "OW"
    image.file_meta = FileMetaDataset()
    image.file_meta.MediaStorageSOPClassUID = CTImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    return image


def _uid(phantom: Phantom, what: str) -> str:
    return str(generate_uid(entropy_srcs=[repr(phantom.spec), what]))


def _number(value: float) -> str:
    """A decimal string of at most 16 characters, as precise as fits."""
    for digits in range(12, 0, -1):
        text = f"{value:.{digits}f}"
        if len(text) <= 16:
            return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.0f}"

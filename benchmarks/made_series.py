"""A CT made of formulas and noise, as a DICOM series and as NIfTI: as large and as hard to compress as a real one."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SPACING_MM = (0.7, 0.7, 1.0)


def texture(slices: int, size: int) -> npt.NDArray[np.int16]:
    """`(X, Y, Z)` HU: a body with two lungs, streaks of vessels in them and the noise of a scanner."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    volume = np.empty((slices, size, size), dtype=np.int16)
    for index in range(slices):
        z = 2 * index / max(slices - 1, 1) - 1
        plane = np.where(x**2 / 0.75 + y**2 / 0.45 < 1, 40, -1000).astype(np.float32)
        lungs = (np.abs(x) - 0.42) ** 2 / 0.09 + y**2 / 0.2 < 1 - z**2 / 2
        plane[lungs] = np.where(np.sin(31 * x + 9 * z) * np.sin(27 * y) > 0.9, 20, -850)[lungs]
        plane += generator.normal(0, 18, plane.shape).astype(np.float32)
        volume[index] = np.clip(np.rint(plane), -1024, 3071)
    return volume.T


def write_dicom(hu: npt.NDArray[np.int16], folder: Path) -> Path:
    """Writes a series as most scanners do: 12 bits in 16, unsigned, uncompressed, explicit little endian."""
    folder.mkdir(parents=True)
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    for index in range(hu.shape[2]):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
        dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.PatientName, dataset.PatientID = "made", "made"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = study, series, frame
        dataset.InstanceNumber, dataset.KVP, dataset.ConvolutionKernel = index + 1, 120, "B30f"
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.ImagePositionPatient = [-180, -180, index * SPACING_MM[2]]
        dataset.PixelSpacing, dataset.SliceThickness = list(SPACING_MM[:2]), SPACING_MM[2]
        dataset.Columns, dataset.Rows = hu.shape[:2]
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
        dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = 1, -1024, "HU"
        dataset.PixelData = (hu[..., index].T + 1024).astype("<u2").tobytes()
        dataset.save_as(folder / f"{index:04d}.dcm", enforce_file_format=True)
    return folder


def write_nifti(hu: npt.NDArray[np.int16], path: Path) -> Path:
    """Writes the volume at the place where :func:`write_dicom` puts it, RAS."""
    affine = np.diag([-SPACING_MM[0], -SPACING_MM[1], SPACING_MM[2], 1.0])
    affine[:3, 3] = (180, 180, 0)
    image = nib.Nifti1Image(hu, affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path

"""Small, sound files of every kind that the reader takes: what is mutated."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Literal, NamedTuple

import nibabel as nib
import numpy as np
import SimpleITK as sitk  # noqa: N813
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

Kind = Literal["elements", "dicom", "nifti", "text"]

PATIENT = {
    "PatientName": "TELLING^NAME",
    "PatientID": "SECRET-ID-77",
    "PatientBirthDate": "19010203",
    "AccessionNumber": "SECRET-ACC-5",
    "InstitutionName": "TELLING hospital",
    "ReferringPhysicianName": "TELLING^DOCTOR",
    "PatientComments": "TELLING comment",
}
SECRETS = ("TELLING", "SECRET", "19010203")
SHAPE = (16, 12, 4)
AFFINE = np.array([[-0.7, 0, 0, 30.0], [0, -0.8, 0, -20.0], [0, 0, 2.5, 100.0], [0, 0, 0, 1]])
HU = np.random.default_rng(0).integers(-1000, 1500, SHAPE).astype(np.int16)

_STREAMS = Path(__file__).parents[1] / "transforms/reading/dicom_pixels/codestreams.json"
_COMPRESSED = {
    "jpeg-lossless-57 u12": uid.JPEGLossless,
    "jpeg-lossless-70 s12": uid.JPEGLosslessSV1,
    "jpeg-ls u12": uid.JPEGLSLossless,
    "jpeg-2000 s12": uid.JPEG2000Lossless,
    "htj2k u16": uid.HTJ2KLossless,
    "jpeg-2000-lossy ramp": uid.JPEG2000,
    "jpeg-extended ramp": uid.JPEGExtended12Bit,
}


class Seed(NamedTuple):
    """One sound file."""

    name: str
    content: bytes
    kind: Kind
    """Which mutations besides those of bytes it knows: `elements` for uncompressed little-endian DICOM."""


def seeds() -> list[Seed]:
    """All of them, the same at every call."""
    planes = [_written(slice_of(index)) for index in range(SHAPE[2])]
    found = [Seed("explicit.dcm", planes[0], "elements"), *_other_syntaxes(), Seed("frames.dcm", _frames(), "elements")]
    return [*found, *_compressed(), *_volume_files(), Seed("series.zip", _zipped(planes), "dicom")]


def neighbours() -> dict[str, bytes]:
    """The slices beside that of `explicit.dcm`."""
    return {f"{index}.dcm": _written(slice_of(index)) for index in range(1, SHAPE[2])}


def slice_of(index: int) -> Dataset:
    """One CT slice, its header full of telling values."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = uid.CTImageStorage, f"1.2.3.4.{index}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = "1.2.3", "1.2.3.4", "1.2.3.9"
    dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    for keyword, value in PATIENT.items():
        setattr(dataset, keyword, value)
    dataset.add_new(0x00091001, "LO", "TELLING private")
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = SHAPE[1], SHAPE[0], 1
    dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME2", 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
    dataset.add_new("PixelPaddingValue", "SS", -2000)
    dataset.ImageOrientationPatient, dataset.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-10, 20, 2.5 * index]
    dataset.PixelSpacing, dataset.SliceThickness, dataset.GantryDetectorTilt = [0.8, 0.7], 2.5, 0
    dataset.InstanceNumber, dataset.AcquisitionNumber, dataset.ConvolutionKernel = index + 1, 1, "B30f"
    dataset.PixelData = HU[..., index].T.astype("<i2").tobytes()
    return dataset


def _written(dataset: Dataset, **options: bool) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=not options, **options)
    return buffer.getvalue()


def _other_syntaxes() -> list[Seed]:
    implicit, big, deflated, run_length = (slice_of(0) for _ in range(4))
    implicit.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
    big.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
    big.PixelData = HU[..., 0].T.astype(">i2").tobytes()
    big["PixelData"].VR = "OW"
    deflated.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    run_length.compress(uid.RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    bare = _written(slice_of(0), implicit_vr=False, little_endian=True)
    return [
        Seed("implicit.dcm", _written(implicit), "elements"),
        Seed("big.dcm", _written(big), "dicom"),
        Seed("deflated.dcm", _written(deflated), "dicom"),
        Seed("rle.dcm", _written(run_length), "elements"),
        Seed("bare", bare[bare.index(b"\x08\x00\x05\x00") :] if b"\x08\x00\x05\x00" in bare else bare, "dicom"),
    ]


def _compressed() -> list[Seed]:
    streams = {name: base64.b64decode(text) for name, text in json.loads(_STREAMS.read_text()).items()}
    found = []
    for name, syntax in _COMPRESSED.items():
        coding, kind = name.split()
        dataset = slice_of(0)
        bits = {"u16": 16, "s16": 16}.get(kind, 12)
        dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = bits, bits - 1, int(kind[0] == "s")
        dataset.RescaleIntercept = -1024
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.PixelData = encapsulate([streams[name]])
        dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
        found.append(Seed(f"{coding}.dcm", _written(dataset), "elements"))
    return found


def _frames() -> bytes:
    whole = slice_of(0)
    whole.SOPClassUID, whole.NumberOfFrames = uid.EnhancedCTImageStorage, SHAPE[2]
    whole.PixelData = HU.T.astype("<i2").tobytes()
    measures, orientation, value = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = whole.PixelSpacing, 2.5
    orientation.ImageOrientationPatient = whole.ImageOrientationPatient
    value.RescaleSlope, value.RescaleIntercept = 1, 0
    shared = Dataset()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    shared.PixelValueTransformationSequence = [value]
    whole.SharedFunctionalGroupsSequence, whole.PerFrameFunctionalGroupsSequence = [shared], []
    for index in range(SHAPE[2]):
        place, frame = Dataset(), Dataset()
        place.ImagePositionPatient = [-10, 20, 2.5 * index]
        frame.PlanePositionSequence = [place]
        whole.PerFrameFunctionalGroupsSequence.append(frame)
    return _written(whole)


def _volume_files() -> list[Seed]:
    plain = _nifti(nib.Nifti1Image)
    found = [
        Seed("ct.nii", plain, "nifti"),
        Seed("ct.nii.gz", gzip.compress(plain, mtime=0), "nifti"),
        Seed("second.nii", _nifti(nib.Nifti2Image), "nifti"),
    ]
    image = sitk.GetImageFromArray(HU.T)
    image.SetSpacing((0.7, 0.8, 2.5))
    image.SetMetaData("PatientName", "TELLING^NAME")
    with tempfile.TemporaryDirectory() as folder:
        for name, packed in (("raw.nrrd", False), ("packed.nrrd", True), ("raw.mha", False), ("packed.mha", True)):
            sitk.WriteImage(image, f"{folder}/{name}", packed)
            found.append(Seed(name, Path(folder, name).read_bytes(), "text"))
    return found


def _nifti(kind: type[nib.Nifti1Image]) -> bytes:
    image = kind(HU, AFFINE)
    image.set_qform(AFFINE, 1)
    image.set_sform(AFFINE, 1)
    image.header.set_xyzt_units("mm")
    image.header["descrip"], image.header["aux_file"], image.header["intent_name"] = "TELLING", "SECRET", "SECRET"
    return bytes(image.to_bytes())


def _zipped(planes: list[bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for index, content in enumerate(planes):
            opened.writestr(zipfile.ZipInfo(f"a/{index}.dcm"), content)
    return buffer.getvalue()


def inflated(content: bytes) -> int:
    """How many bytes a file holds when it is unpacked, as far as that goes."""
    if content[:2] != b"\x1f\x8b":
        return len(content)
    try:
        return max(len(content), len(zlib.decompressobj(31).decompress(content, 1 << 24)))
    except zlib.error:
        return len(content)

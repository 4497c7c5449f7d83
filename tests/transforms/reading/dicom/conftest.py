"""What is done to a DICOM series before it is read: values that are linear in space, multi-frame objects."""

import copy

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage, generate_uid

from transforms.errors import CTError
from transforms.reading import read_ct

FINE = 1 / 64  # a rescale slope: HU of -1024 to 0 in steps that binary fractions hold exactly


def dataset_of(**elements):
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def ramp(points):
    """HU that change linearly in space, `(..., 3)` LPS: linear interpolation gives them exactly."""
    return points @ np.array([2.0, -3.0, 5.0]) - 500


@pytest.fixture
def ramp_series(dicom_series):
    """A function that makes a series whose HU are :func:`ramp`; `places` are in millimetres along the third axis."""

    def make(name="ct", *, places=None, shape=(7, 6, 5), **options):
        depth = shape[2] if places is None else len(places)
        series = dicom_series(name, slopes=(FINE,), shape=(*shape[:2], depth), **options)
        index = np.stack(np.meshgrid(*map(np.arange, shape[:2]), indexing="ij"), axis=-1)
        for k, dataset in enumerate(series.slices):
            if places is not None:
                along = series.affine[:3, 2] / np.linalg.norm(series.affine[:3, 2])
                start = series.affine[:3, 3] + along * places[k]
                dataset.ImagePositionPatient = [f"{value:.6f}" for value in start]
            start = np.array([float(value) for value in dataset.ImagePositionPatient])
            series.hu[..., k] = ramp(index @ series.affine[:3, :2].T + start)
            dataset.PixelData = np.rint((series.hu[..., k].T + 1024) / FINE).astype("<u2").tobytes()
        return series

    return make


@pytest.fixture
def follows_ramp():
    """A function that says where a volume holds other HU than its affine asks for."""

    def check(volume):
        index = np.stack(np.meshgrid(*map(np.arange, volume.array.shape), indexing="ij"), axis=-1)
        ras = index @ volume.affine[:3, :3].T + volume.affine[:3, 3]
        return np.abs(volume.array - ramp(ras * [-1, -1, 1])) <= 0.05

    return check


@pytest.fixture
def multi_frame():
    """A function that packs slices into one enhanced object; `content` are the elements of each frame's content."""

    def pack(slices, content=None, **elements):
        whole = copy.deepcopy(slices[0])
        whole.SOPClassUID, whole.SOPInstanceUID = EnhancedCTImageStorage, generate_uid()
        whole.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
        whole.NumberOfFrames = len(slices)
        whole.PixelData = b"".join(one.PixelData for one in slices)
        measures = dataset_of(PixelSpacing=whole.PixelSpacing, SliceThickness=whole.SliceThickness)
        whole.SharedFunctionalGroupsSequence = [dataset_of(PixelMeasuresSequence=[measures])]
        whole.PerFrameFunctionalGroupsSequence = [
            _frame(one, (content or [{}] * len(slices))[index]) for index, one in enumerate(slices)
        ]
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness",
                        "RescaleSlope", "RescaleIntercept", "ConvolutionKernel"):  # fmt: skip
            delattr(whole, keyword)
        for keyword, value in elements.items():
            setattr(whole, keyword, value)
        return whole

    return pack


def _frame(one, content):
    return dataset_of(
        FrameContentSequence=[dataset_of(**content)],
        PlanePositionSequence=[dataset_of(ImagePositionPatient=one.ImagePositionPatient)],
        PlaneOrientationSequence=[dataset_of(ImageOrientationPatient=one.ImageOrientationPatient)],
        CTReconstructionSequence=[dataset_of(ConvolutionKernel=one.ConvolutionKernel)],
        PixelValueTransformationSequence=[
            dataset_of(RescaleSlope=one.RescaleSlope, RescaleIntercept=one.RescaleIntercept, RescaleType="HU")
        ],
    )


@pytest.fixture
def refusal():
    """A function that reads what must be refused, and returns the message, free of the patient."""

    def read(path, **options):
        with pytest.raises(CTError) as caught:
            read_ct(path, **options)
        message = str(caught.value)
        assert caught.value.remedy
        assert not any(secret in message for secret in ("TELLING", "SECRET-ID", "19010203"))
        return f"{type(caught.value).__name__}: {message}"

    return read

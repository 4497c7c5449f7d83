"""A cohort whose headers are full of names: none comes out but in DICOM, which has to carry them."""

import csv
import gzip
import shutil

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, generate_uid

TELLING = {
    "PatientName": "TELLING^NAME",
    "PatientID": "SECRET-ID-77",
    "PatientBirthDate": "19010203",
    "PatientComments": "TELLING comment",
    "ImageComments": "TELLING image",
    "OtherPatientIDs": "SECRET-ID-78",
    "AccessionNumber": "SECRET-ACC-5",
    "InstitutionName": "TELLING hospital",
    "ReferringPhysicianName": "TELLING^DOCTOR",
    "StudyDescription": "TELLING study",
    "SeriesDescription": "TELLING series",
    "StudyID": "SECRET-ST-1",
}
WORDS = (b"telling", b"secret", b"19010203")


def as_it_is(dataset, index):
    pass


def without_rescale(dataset, index):
    del dataset.RescaleSlope


def without_place(dataset, index):
    dataset.ImagePositionPatient = None


def tilted(dataset, index):
    x, y, z = map(float, dataset.ImagePositionPatient)
    dataset.ImagePositionPatient = [x, y + 2 * index, z]


def of_two_studies(dataset, index):
    dataset.StudyInstanceUID = f"1.2.{index % 2}"


def named_as_modality(dataset, index):
    dataset["Modality"].value = "TELLING^NAME"


def of_impossible_bits(dataset, index):
    dataset.BitsAllocated = 24


def with_too_few_pixels(dataset, index):
    dataset.PixelData = dataset.PixelData[:100]


def with_a_broken_codestream(dataset, index):
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dataset.PixelData = encapsulate([b"TELLING stream"])
    dataset["PixelData"].is_undefined_length = True


BROKEN = [without_rescale, without_place, tilted, of_two_studies, named_as_modality, of_impossible_bits,
          with_too_few_pixels, with_a_broken_codestream]  # fmt: skip


def write_dicom(source, folder, change, most=6):
    folder.mkdir()
    series = generate_uid()  # each folder a series of its own: slices of one series would be one case
    for index, path in enumerate(sorted(source.iterdir())[:most]):
        dataset = pydicom.dcmread(path)
        dataset.SeriesInstanceUID = series
        for keyword, value in TELLING.items():
            setattr(dataset, keyword, value)
        dataset.private_block(0x0011, "SECRET OWNER", create=True).add_new(1, "LO", "TELLING private")
        change(dataset, index)
        pydicom.dcmwrite(folder / path.name, dataset)


def write_nifti(path, qoffset):
    image = nib.Nifti1Image(np.full((9, 8, 7), -900, np.int16), np.eye(4))
    image.set_qform(np.eye(4), 1)
    image.header["descrip"], image.header["aux_file"], image.header["intent_name"] = "TELLING", "SECRET", "SECRET"
    image.header["db_name"] = "TELLING"
    image.header["qoffset_x"] = qoffset
    nib.save(image, path)


def write_nrrd(path):
    image = sitk.GetImageFromArray(np.arange(504, dtype=np.uint8).reshape(7, 8, 9))
    image.SetMetaData("PatientName", "TELLING^NAME")
    image.SetMetaData("SECRET-KEY", "19010203")
    sitk.WriteImage(image, str(path))


@pytest.fixture(scope="module")
def cohort(study, tmp_path_factory):
    """Studies of which one is sound, each in its own folder or file."""
    folder = tmp_path_factory.mktemp("studies")
    source = study["dicom"].ct
    write_dicom(source, folder / "sound", as_it_is, most=None)
    for change in BROKEN:
        write_dicom(source, folder / change.__name__, change)
    shutil.copytree(folder / "sound", folder / "cut")
    first = min((folder / "cut").iterdir())
    first.write_bytes(first.read_bytes()[:900])
    write_nifti(folder / "astray.nii.gz", qoffset=7)
    write_nrrd(folder / "picture.nrrd")
    return folder


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_word_of_it_comes_out(segment, cohort, tmp_path):
    result = segment(cohort, tmp_path / "out")
    with (tmp_path / "out" / "cases.csv").open(newline="") as file:
        status = {row["case"]: row["status"] for row in csv.DictReader(file)}
    assert status.pop("sound") == "done"
    assert status == dict.fromkeys(status, "failed")
    assert len(status) >= len(BROKEN)
    told = {"stdout": result.stdout.encode(), "stderr": result.stderr.encode()}
    for path in (tmp_path / "out").rglob("*"):
        name = str(path.relative_to(tmp_path))
        told[f"the name {name}"] = name.encode()
        if path.is_file() and path.suffix != ".dcm":
            content = path.read_bytes()
            told[name] = gzip.decompress(content) if path.suffix == ".gz" else content
    assert len(told) > 8
    assert not [place for place, text in told.items() if any(word in text.lower() for word in WORDS)]
    instances = [pydicom.dcmread(path).SOPInstanceUID for path in (cohort / "sound").iterdir()]
    assert not [uid for uid in instances if uid in result.stdout + result.stderr]

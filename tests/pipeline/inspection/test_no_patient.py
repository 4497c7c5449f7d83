"""Nothing of the patient, the staff or the hospital is told, whatever the headers hold."""

import json
import zipfile

import pytest
from click.testing import CliRunner

from pipeline.cli import ctvol

TELLING = {
    "PatientName": "TELLING^NAME",
    "PatientID": "SECRET-ID-77",
    "PatientBirthDate": "19010203",
    "PatientAddress": "TELLING street 9",
    "PatientComments": "TELLING comment",
    "OtherPatientIDs": "SECRET-ID-78",
    "AccessionNumber": "SECRET-ACC-5",
    "InstitutionName": "TELLING hospital",
    "InstitutionAddress": "TELLING road 1",
    "ReferringPhysicianName": "TELLING^DOCTOR",
    "PerformingPhysicianName": "TELLING^DOCTOR",
    "OperatorsName": "TELLING^OPERATOR",
    "StationName": "TELLINGWARD",
    "StudyDescription": "TELLING study",
    "SeriesDescription": "TELLING series",
    "StudyID": "SECRET-ST-1",
    "ContrastBolusAgent": "TELLING agent",
}
WORDS = ("TELLING", "SECRET", "19010203")


def reveal(dataset, index):
    for keyword, value in TELLING.items():
        setattr(dataset, keyword, value)


def break_geometry(dataset, index):
    reveal(dataset, index)
    return index != 3


def break_values(dataset, index):
    reveal(dataset, index)
    dataset["PatientBirthDate"].value = "TELLING"  # no date
    del dataset.RescaleSlope
    dataset.ImageOrientationPatient = [1, 0, 0, 1, 0, 0]


def break_kind(dataset, index):
    reveal(dataset, index)
    dataset["Modality"].value = "TELLING^NAME"


@pytest.mark.parametrize("change", [reveal, break_geometry, break_values, break_kind])
@pytest.mark.parametrize("options", [[], ["--json"], ["--values"]])
@pytest.mark.filterwarnings("ignore")
def test_no_word_of_it_comes_out(chest, change, options, caplog):
    folder = chest(change=change)
    (folder / "cut.dcm").write_bytes((folder / "000001.dcm").read_bytes()[:700])
    for arguments in ([folder], [folder / "000001.dcm"], [folder / "cut.dcm"]):
        result = CliRunner().invoke(ctvol, ["inspect", *map(str, arguments), *options])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert result.stdout
        said = result.stdout + result.stderr + caplog.text
        assert not [word for word in WORDS if word.casefold() in said.casefold()]


def test_a_zip_tells_nothing_either(chest, tmp_path):
    folder = chest(change=reveal)
    with zipfile.ZipFile(tmp_path / "ct.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    result = CliRunner().invoke(ctvol, ["inspect", str(tmp_path / "ct.zip"), "--json"])
    (case,) = json.loads(result.stdout)["cases"]
    assert case["series"][0]["contrast_agent"] is True
    assert not [word for word in WORDS if word in result.output]

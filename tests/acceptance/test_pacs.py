"""From an archive and back to it: `ctvol segment` with addresses, against a real Orthanc, and the page that says so."""

import csv
import json
import re
import shlex
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from highdicom.seg import Segmentation

from tests.bundles.conftest import tiny_bundle, weights  # noqa: F401
from transforms.reading import read_ct

pytestmark = pytest.mark.service

PAGE = Path(__file__).parents[2] / "docs" / "pacs.md"
AS_STORED = (("application/dicom", "*"),)


@pytest.fixture
def stored(archive, series_of):
    """A series in the archive."""
    series = series_of("oblique")
    archive.store(series.files)
    return series


@pytest.fixture
def addresses(archive, stored):
    """What the words of the page stand for."""
    header = pydicom.dcmread(stored.files[0], stop_before_pixels=True)
    service = f"{archive.url}/dicom-web"
    study = f"{service}/studies/{header.StudyInstanceUID}"
    return {"service": service, "study": study, "series": f"{study}/series/{header.SeriesInstanceUID}"}


@pytest.fixture
def temporary(tmp_path):
    """The folder that series are fetched to."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def segment(run_cold, tiny_bundle, temporary):  # noqa: F811
    """A function that runs `ctvol segment`, in a process of its own."""

    def run(*arguments):
        folder = f"os.environ['TMPDIR'] = tempfile.tempdir = {str(temporary)!r}"  # of its workers too
        program = f"import os, tempfile; {folder}; from pipeline.cli import main; main()"
        return run_cold("-c", program, "segment", *arguments, "--bundle", tiny_bundle, "--device", "cpu")

    return run


def row_of(out):
    with (out / "cases.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    return row


def results_in(archive, study):
    """SEG and SR of a study in the archive, by modality."""
    found = {}
    for series in archive.dicomweb.search_for_series(study.rpartition("/")[2]):
        uid, modality = (series[tag]["Value"][0] for tag in ("0020000E", "00080060"))
        if modality != "CT":
            uids = study.rpartition("/")[2], uid
            (found[modality],) = archive.dicomweb.retrieve_series(*uids, media_types=AS_STORED)
    return found


def labels_in(seg, folder):
    """The label map of a SEG on the slices of the series that it was made of, as highdicom reads it; lungs aside."""
    uids = [pydicom.dcmread(path).SOPInstanceUID for path in read_ct(folder).source_files]
    numbers = [1, 2, 3]  # the classes of lesions; those of the lungs follow
    planes = Segmentation.from_dataset(seg).get_pixels_by_source_instance(
        uids, segment_numbers=numbers, combine_segments=True, assert_missing_frames_are_empty=True
    )
    return planes.transpose(2, 1, 0)


@pytest.mark.parametrize("what", ["study", "series"])
def test_from_the_archive_and_back(what, archive, addresses, stored, segment, temporary, tmp_path):
    done = segment(addresses[what], "-o", tmp_path / "out", "--send", addresses["service"])
    assert done.returncode == 0, done.stderr
    row = row_of(tmp_path / "out")
    assert (row["case"], row["status"]) == (addresses["series"].rpartition("/")[2], "done")
    case = tmp_path / "out" / row["case"]
    written = np.asanyarray(nib.load(case / "labels.nii.gz").dataobj)
    results = results_in(archive, addresses["study"])
    assert set(results) == {"SEG", "SR"}
    assert len(np.unique(written)) > 1
    np.testing.assert_array_equal(labels_in(results["SEG"], stored.folder), written)
    assert results["SEG"].SOPInstanceUID == pydicom.dcmread(case / "labels.seg.dcm").SOPInstanceUID
    assert results["SR"].SOPInstanceUID == pydicom.dcmread(case / "measurements.sr.dcm").SOPInstanceUID
    assert json.loads((case / "provenance.json").read_text())["input"]["path"] == addresses["series"]
    assert list(temporary.glob("ctvol-*")) == []


def test_an_unknown_series_beside_a_good_one(addresses, segment, temporary, tmp_path):
    unknown = f"{addresses['study']}/series/1.2.3"
    done = segment(unknown, addresses["series"], "-o", tmp_path / "out", "--write", "nifti")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    with (tmp_path / "out" / "cases.csv").open(newline="") as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    assert rows["1.2.3"]["status"] == "failed"
    assert "no such series" in rows["1.2.3"]["error"]
    assert [row["status"] for case, row in rows.items() if case != "1.2.3"] == ["done"]
    assert list(temporary.glob("ctvol-*")) == []


def test_two_workers_share_the_studies_of_an_archive(archive, series_of, segment, temporary, tmp_path):
    service, studies = f"{archive.url}/dicom-web", {}
    for name in ("axial", "oblique", "reversed"):
        files = series_of(name).files
        archive.store(files)
        header = pydicom.dcmread(files[0], stop_before_pixels=True)
        studies[header.SeriesInstanceUID] = f"{service}/studies/{header.StudyInstanceUID}"
    unknown = f"{next(iter(studies.values()))}/series/1.2.3"
    arguments = "-o", tmp_path / "out", "--jobs", "2", "--send", service
    done = segment(*studies.values(), unknown, *arguments)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    with (tmp_path / "out" / "cases.csv").open(newline="") as file:
        rows = [(row["case"], row["status"]) for row in csv.DictReader(file)]
    assert sorted(rows) == sorted([(series, "done") for series in studies] + [("1.2.3", "failed")])
    sent = {series: results_in(archive, study) for series, study in studies.items()}  # no more than one of each
    for series, results in sent.items():
        assert set(results) == {"SEG", "SR"}
        (referenced,) = results["SEG"].ReferencedSeriesSequence
        assert referenced.SeriesInstanceUID == series
    assert list(temporary.glob("ctvol-*")) == []


def test_results_stay_when_the_archive_is_not_there(addresses, segment, tmp_path):
    done = segment(addresses["series"], "-o", tmp_path / "out", "--send", "http://127.0.0.1:9/dicom-web")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    row = row_of(tmp_path / "out")
    assert row["status"] == "not sent"
    assert "no connection to the archive" in row["error"]
    assert float(row["lung_volume_ml"] or 0) >= 0
    files = {path.name for path in (tmp_path / "out" / row["case"]).iterdir()}
    assert {"labels.nii.gz", "labels.seg.dcm", "measurements.sr.dcm", "provenance.json"} <= files


def test_the_commands_of_the_page(addresses, segment, tmp_path):
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), flags=re.M | re.S)
    lines = [line.split(" #")[0].strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    commands = [line for line in lines if line.startswith("ctvol segment")]
    assert len(commands) >= 3
    for number, command in enumerate(commands):
        out = tmp_path / str(number)
        places = {"OUT": str(out), "SERIES": addresses["series"], "STUDY": addresses["study"]}
        places |= {"ARCHIVE": addresses["service"]}
        words = [places.get(word.strip('"$'), word) for word in shlex.split(command)]
        done = segment(*words[2:])
        assert done.returncode == 0, done.stderr
        assert row_of(out)["status"] == "done"

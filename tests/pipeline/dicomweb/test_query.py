"""Which series of a study are taken."""

import json

import pytest

from pipeline.dicomweb import SeriesAddress, find_series
from tests.pipeline.dicomweb.conftest import Answer, dicom_json
from transforms.errors import ArchiveError, NotFoundError


@pytest.fixture
def study(archive):
    return SeriesAddress(service=archive.address.service, study_uid=archive.address.study_uid)


def test_ct_is_taken_and_reports_are_left_out(archive, study):
    found = find_series(study)
    assert found.series == [archive.address]
    assert found.left_out == ["series of other modalities"]
    assert not any(path.endswith(f"/series/{archive.address.series_uid}") for _, path, _, _ in archive.asked)


def test_localizers_are_left_out(archive, study):
    (metadata,) = [key for key in archive.answers if key.endswith("/metadata")]
    (header,) = json.loads(archive.answers[metadata].body)
    header["00080008"]["Value"] = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    archive.answers[metadata] = Answer(body=json.dumps([header]).encode())
    found = find_series(study)
    assert found.series == []
    assert "series: localizers" in found.left_out


def test_a_series_that_cannot_be_looked_at_is_taken(archive, study):
    (metadata,) = [key for key in archive.answers if key.endswith("/metadata")]
    archive.answers[metadata] = Answer(status=500)
    assert find_series(study).series == [archive.address]


def test_an_unknown_study(archive, study):
    archive.answers[f"{archive.study}/series"] = dicom_json()
    with pytest.raises(NotFoundError, match="no such study"):
        find_series(study)


def test_an_archive_that_refuses(archive, study):
    archive.answers[f"{archive.study}/series"] = Answer(status=401)
    with pytest.raises(ArchiveError, match="401"):
        find_series(study)

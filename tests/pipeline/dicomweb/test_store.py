"""What is sent is stored, or it is said that it was not."""

import json

import pydicom
import pytest

from pipeline.dicomweb import connection, send_files
from tests.pipeline.dicomweb.conftest import Answer
from transforms.errors import ArchiveError, NotFoundError


@pytest.fixture
def files(slices, tmp_path):
    for index in range(2):
        (tmp_path / f"{index}.dcm").write_bytes(slices[index])
    return [tmp_path / "0.dcm", tmp_path / "1.dcm"]


@pytest.fixture
def receipt(files):
    """A function that makes the archive's answer: what it stored, and what not."""

    def make(stored, failed=()):
        uids = [str(pydicom.dcmread(file).SOPInstanceUID) for file in files]

        def item(number, **more):
            return {"00081155": {"vr": "UI", "Value": [uids[number]]}, **more}

        reason = {"00081197": {"vr": "US", "Value": [0xA700]}}
        answer = {
            "00081199": {"vr": "SQ", "Value": [item(number) for number in stored]},
            "00081198": {"vr": "SQ", "Value": [item(number, **reason) for number in failed]},
        }
        return Answer(body=json.dumps(answer).encode())

    return make


def test_all_are_sent_at_once(archive, files, receipt):
    archive.answers["POST /studies"] = receipt([0, 1])
    send_files(archive.url, files)
    ((_, _, headers, body),) = archive.asked
    assert headers["Content-Type"].startswith("multipart/related")
    assert body.count(b"DICM") == 2


@pytest.mark.parametrize("answer", [([0],), ([0], [1])])
def test_one_that_is_not_stored_is_named(archive, files, receipt, answer):
    archive.answers["POST /studies"] = receipt(*answer)
    with pytest.raises(ArchiveError, match=r"stored 1\.dcm") as caught:
        send_files(archive.url, files)
    assert ("A700" in str(caught.value)) == (len(answer) == 2)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Answer(status=401), ArchiveError, "refuses these credentials"),
        (Answer(status=404), NotFoundError, "nothing here"),
        (Answer(status=409), ArchiveError, "status 409"),
        (Answer(kind="text/html", body=b"<html>Log in</html>"), ArchiveError, "does not say that it stored"),
        (Answer(body=b"<html>"), ArchiveError, "not DICOM"),
        (Answer(status=302, headers={"Location": "/login"}), ArchiveError, "elsewhere"),
        (Answer(body=b"{}" * 100, cut=50), ArchiveError, "connection to the archive was lost"),
    ],
)
def test_refusals(archive, files, answer, kind, words):
    archive.answers["POST /studies"] = answer
    with pytest.raises(kind, match=words):
        send_files(archive.url, files)


def test_nothing_is_sent_twice(archive, files, monkeypatch):
    monkeypatch.setattr(connection, "ATTEMPTS", 3)
    archive.answers["POST /studies"] = Answer(status=503)
    with pytest.raises(ArchiveError, match="503"):
        send_files(archive.url, files)
    assert len(archive.asked) == 1

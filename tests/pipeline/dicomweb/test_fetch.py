"""A series comes whole, or there is one clear message."""

import shutil
import socket
import ssl
import subprocess
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from pipeline.dicomweb import SeriesAddress, connection, fetch_series
from tests.pipeline.dicomweb.conftest import Answer, dicom_json, multipart
from transforms.errors import (
    ArchiveError,
    MissingExtraError,
    NotFoundError,
    OutputError,
    SeriesError,
    SettingError,
    UnreadableError,
)
from transforms.reading import read_ct


def message_of(kind, archive, folder):
    with pytest.raises(kind) as caught:
        fetch_series(archive.address, folder)
    assert type(caught.value) is kind
    assert archive.url in str(caught.value)
    return str(caught.value)


def test_a_series_comes_as_it_is(archive, slices, fetched, tmp_path):
    assert fetch_series(archive.address, fetched) == len(slices)
    for index, content in enumerate(slices):
        (tmp_path / f"{index}.dcm").write_bytes(content)
    before = {header.SOPInstanceUID: header for header in map(pydicom.dcmread, tmp_path.glob("*.dcm"))}
    after = {header.SOPInstanceUID: header for header in map(pydicom.dcmread, fetched.iterdir())}
    assert after == before
    np.testing.assert_array_equal(read_ct(fetched).array.shape, (32, 28, 20))


def test_a_study_stands_for_its_only_ct_series(archive, slices, fetched):
    study = SeriesAddress(service=archive.address.service, study_uid=archive.address.study_uid)
    assert fetch_series(study, fetched) == len(slices)


def test_a_study_of_several_ct_series_is_refused(archive, fetched):
    archive.answers[f"{archive.study}/series"] = dicom_json({"0020000E": "1.2"}, {"0020000E": "1.3"})
    study = SeriesAddress(service=archive.address.service, study_uid=archive.address.study_uid)
    with pytest.raises(SeriesError, match="2 of them"):
        fetch_series(study, fetched)


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, ArchiveError, "refuses these credentials"),
        (403, ArchiveError, "CTVOL_DICOMWEB_TOKEN"),
        (404, NotFoundError, "nothing here"),
        (500, ArchiveError, "status 500"),
        (503, ArchiveError, "status 503"),
    ],
)
@pytest.mark.parametrize("where", ["search", "retrieval"])
def test_refusals(archive, fetched, status, kind, words, where):
    asked = f"{archive.study}/series" if where == "search" else archive.series
    archive.answers[asked] = Answer(status=status, body=b"Doe^John")
    message = message_of(kind, archive, fetched)
    assert words in message
    assert "Doe" not in message


def test_an_unknown_series(archive, fetched):
    archive.answers[f"{archive.study}/series"] = Answer(body=b"[]")
    assert "no such series" in message_of(NotFoundError, archive, fetched)


@pytest.mark.parametrize("announced", [True, False])
def test_a_connection_that_is_lost(archive, slices, fetched, announced):
    cut = sum(map(len, slices[10:]))
    archive.answers[archive.series] = multipart(slices, cut=cut, announced=announced)
    message = message_of(ArchiveError, archive, fetched)
    # Without a length nobody tells the client that more was to come.
    assert ("connection to the archive was lost" if announced else "cut short") in message


def test_a_connection_that_is_lost_in_the_last_instance_is_found_when_it_is_read(archive, slices, fetched):
    archive.answers[archive.series] = multipart(slices, cut=500, announced=False)
    fetch_series(archive.address, fetched)
    with pytest.raises(UnreadableError):
        read_ct(fetched)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(kind="text/html", body=b"<html>Log in, please</html>"),
        multipart([b"no DICOM at all"]),
        Answer(kind="multipart/related", body=b"no boundary"),
        Answer(kind="application/dicom", body=b"x"),
    ],
)
def test_what_is_not_dicom(archive, fetched, answer):
    archive.answers[archive.series] = answer
    assert "not DICOM" in message_of(ArchiveError, archive, fetched)


@pytest.mark.parametrize("body", [b"<html></html>", b'{"error": "x"}', b"[1, 2]", b"{"])
def test_a_search_that_is_not_answered_with_dicom_json(archive, fetched, body):
    archive.answers[f"{archive.study}/series"] = Answer(body=body)
    with pytest.raises((ArchiveError, NotFoundError)):
        fetch_series(archive.address, fetched)


@pytest.mark.parametrize(("sent", "words"), [(19, "expected 20"), (21, "more than it has"), (0, "not DICOM")])
def test_another_number_of_instances_than_announced(archive, slices, fetched, sent, words):
    archive.answers[archive.series] = multipart((slices + slices)[:sent])
    assert words in message_of(ArchiveError, archive, fetched)


def test_an_instance_of_another_series(archive, slices, fetched, tmp_path):
    (tmp_path / "other.dcm").write_bytes(slices[3])
    other = pydicom.dcmread(tmp_path / "other.dcm")
    other.SeriesInstanceUID = "1.2.3.4"
    other.save_as(tmp_path / "other.dcm")
    archive.answers[archive.series] = multipart([*slices[:3], (tmp_path / "other.dcm").read_bytes(), *slices[4:]])
    assert "another series" in message_of(ArchiveError, archive, fetched)


def test_a_redirection_is_not_followed(archive, fetched):
    login = {"Location": "https://login.example/?state=secret"}
    archive.answers[f"{archive.study}/series"] = Answer(status=302, headers=login)
    message = message_of(ArchiveError, archive, fetched)
    assert "login.example" in message
    assert "secret" not in message


def test_nobody_listens(monkeypatch, fetched):
    monkeypatch.setattr(connection, "ATTEMPTS", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = SeriesAddress(service=f"http://127.0.0.1:{taken.getsockname()[1]}/d", study_uid="1", series_uid="2")
        with pytest.raises(ArchiveError, match=r"no connection to the archive \(found Connection refused\)"):
            fetch_series(address, fetched)


def test_silence(archive, fetched, monkeypatch):
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = SeriesAddress(service=f"http://127.0.0.1:{mute.getsockname()[1]}/d", study_uid="1", series_uid="2")
        with pytest.raises(ArchiveError, match="does not answer"):
            fetch_series(address, fetched)


def test_no_tls_where_there_should_be(archive, fetched):
    service = archive.url.replace("http://", "https://")
    address = SeriesAddress(service=service, study_uid="1", series_uid="2")
    with pytest.raises(ArchiveError, match="certificate is not trusted"):
        fetch_series(address, fetched)


@pytest.fixture
def with_tls(archive, slices, tmp_path):
    """The archive behind TLS with a certificate that it signed itself: its address, and the certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    archive.server.socket = context.wrap_socket(archive.server.socket, server_side=True)
    return replace(archive.address, service=archive.url.replace("http://", "https://")), certificate


def test_certificates_are_verified(archive, with_tls, fetched):
    with pytest.raises(ArchiveError, match=r"certificate is not trusted \(found self-signed certificate\)"):
        fetch_series(with_tls[0], fetched)
    assert archive.asked == []


def test_an_authority_of_one_s_own(with_tls, slices, fetched, monkeypatch):
    monkeypatch.setenv(connection.CA_BUNDLE, str(with_tls[1]))
    assert fetch_series(with_tls[0], fetched) == len(slices)


def test_a_busy_archive_is_asked_again(archive, slices, fetched, monkeypatch):
    monkeypatch.setattr(connection, "ATTEMPTS", 3)
    answers = iter([Answer(status=503), archive.answers[archive.series]])
    archive.answers[archive.series] = lambda body: next(answers)
    assert fetch_series(archive.address, fetched) == len(slices)


@pytest.mark.parametrize(
    ("environment", "header"),
    [
        ({}, None),
        ({connection.TOKEN: "opaque"}, "Bearer opaque"),
        ({connection.USER: "jürgen", connection.PASSWORD: "a:b"}, "Basic asO8cmdlbjphOmI="),
    ],
)
def test_credentials_come_from_the_environment(archive, fetched, monkeypatch, tmp_path, environment, header):
    (tmp_path / ".netrc").write_text("default login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    fetch_series(archive.address, fetched)
    sent = {headers.get("Authorization") for _, _, headers, _ in archive.asked}
    assert sent == {header}


@pytest.mark.parametrize(
    "environment",
    [
        {connection.USER: "someone"},
        {connection.PASSWORD: "secret"},
        {connection.USER: "someone", connection.PASSWORD: "secret", connection.TOKEN: "secret"},
        {connection.CA_BUNDLE: "/nowhere/ca.pem"},
    ],
)
def test_a_wrong_environment_is_said(archive, fetched, monkeypatch, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingError) as caught:
        fetch_series(archive.address, fetched)
    assert "secret" not in str(caught.value)
    assert archive.asked == []


def test_a_disk_that_cannot_be_written(archive, tmp_path):
    with pytest.raises(OutputError, match="TMPDIR"):
        fetch_series(archive.address, tmp_path / "not there")


def test_without_the_extra(archive, fetched, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dicomweb_client.api", None)
    with pytest.raises(MissingExtraError, match="dicomweb"):
        fetch_series(archive.address, fetched)

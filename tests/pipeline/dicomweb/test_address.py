"""Addresses: what they name, and what they must not carry."""

import pytest

from pipeline.dicomweb import series_address, service_address
from transforms.errors import SettingError


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://host/dicom-web/studies/1.2", ("https://host/dicom-web", "1.2", None)),
        ("https://host/dicom-web/studies/1.2/", ("https://host/dicom-web", "1.2", None)),
        ("http://host:8042/a/b/studies/1.2/series/3.4", ("http://host:8042/a/b", "1.2", "3.4")),
        ("https://host/studies/1.2/series/3.4", ("https://host", "1.2", "3.4")),
    ],
)
def test_the_parts_of_an_address(url, parts):
    address = series_address(url)
    assert (address.service, address.study_uid, address.series_uid) == parts
    assert str(address) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "https://host/dicom-web",
        "https://host/dicom-web/studies",
        "https://host/dicom-web/studies/1.2/series",
        "https://host/dicom-web/studies/1.2/series/3.4/instances/5",
        "https://host/dicom-web/studies/../1",
        "https://host/dicom-web/studies/" + "1" * 65,
        "https:///studies/1.2",
        "https://host:port/studies/1.2",
        "https://host/studies/1.2?token=secret",
        "https://host/studies/1.2#secret",
    ],
)
def test_what_names_no_study_is_refused(url):
    with pytest.raises(SettingError) as caught:
        series_address(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("read", [series_address, service_address])
def test_a_password_is_refused_and_not_repeated(read):
    with pytest.raises(SettingError, match="CTVOL_DICOMWEB_PASSWORD") as caught:
        read("https://someone:secret@host/dicom-web/studies/1.2")
    assert "secret" not in str(caught.value)
    assert "someone" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://host/dicom-web", "https://host/dicom-web/", "https://host/dicom-web/studies"])
def test_the_service(url):
    assert service_address(url) == "https://host/dicom-web"


@pytest.mark.parametrize("url", ["https://host/studies/1.2", "host/dicom-web", "ftp://host/dicom-web"])
def test_no_service(url):
    with pytest.raises(SettingError):
        service_address(url)

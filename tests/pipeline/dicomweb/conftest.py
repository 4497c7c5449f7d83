"""An archive that says what a test has it say: real HTTP on loopback, a few DICOM instances, all kinds of trouble."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest

from pipeline.dicomweb import SeriesAddress, connection, series_address
from pipeline.phantom import PhantomSpec, make_phantom
from pipeline.phantom.dicom import write_series

BOUNDARY = "a-boundary"


@dataclass
class Answer:
    """What is sent back; `cut` bytes of it are announced, or not, and never sent."""

    status: int = 200
    kind: str = "application/dicom+json"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    announced: bool = True


@dataclass
class Archive:
    """What the archive says to each method and path (its last part is enough), and what it was asked."""

    url: str
    instances: list[bytes]
    address: SeriesAddress
    server: ThreadingHTTPServer
    answers: dict[str, Answer | Callable[[bytes], Answer]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        self.asked.append((method, path, headers, body))
        found = self.answers.get(f"{method} {path.partition('?')[0].removeprefix('/dicom-web')}", Answer(status=404))
        return found(body) if callable(found) else found

    @property
    def study(self) -> str:
        return f"GET /studies/{self.address.study_uid}"

    @property
    def series(self) -> str:
        return f"{self.study}/series/{self.address.series_uid}"


def dicom_json(*datasets: dict[str, Any]) -> Answer:
    """DICOM JSON of values by tag."""
    coded = [{tag: {"vr": "LO", "Value": [value]} for tag, value in dataset.items()} for dataset in datasets]
    return Answer(body=json.dumps(coded).encode())


def multipart(instances: list[bytes], **options: Any) -> Answer:
    """Instances as WADO-RS sends them."""
    parts = [b"--%s\r\nContent-Type: application/dicom\r\n\r\n%s\r\n" % (BOUNDARY.encode(), one) for one in instances]
    body = b"".join(parts) + b"--%s--\r\n" % BOUNDARY.encode()
    return Answer(kind=f'multipart/related; type="application/dicom"; boundary={BOUNDARY}', body=body, **options)


@pytest.fixture(scope="session")
def slices(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The files of a small series."""
    folder = tmp_path_factory.mktemp("slices")
    write_series(folder, make_phantom(PhantomSpec(seed=1, shape=(32, 28, 20), spacing_mm=(11.0, 11.0, 15.0))))
    return [path.read_bytes() for path in sorted(folder.glob("*.dcm"))]


@pytest.fixture
def archive(slices: list[bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """An archive with one study of one CT series and a report, that answers as it should until a test changes that."""
    monkeypatch.setattr(connection, "ATTEMPTS", 1)
    for name in (connection.USER, connection.PASSWORD, connection.TOKEN, connection.CA_BUNDLE, "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if self.headers.get("Transfer-Encoding") == "chunked":
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            answer = served.answer(self.command, self.path, dict(self.headers), body)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            if answer.announced:
                self.send_header("Content-Length", str(len(answer.body)))
            self.close_connection = answer.cut > 0 or not answer.announced
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body[: len(answer.body) - answer.cut])

        do_POST = do_GET  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_port}/dicom-web"
    header = pydicom.dcmread(BytesIO(slices[0]))
    address = series_address(f"{url}/studies/{header.StudyInstanceUID}/series/{header.SeriesInstanceUID}")
    served = Archive(url, slices, address, server)
    fill(served, header)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield served
    server.shutdown()
    server.server_close()


def fill(archive: Archive, header: pydicom.Dataset) -> None:
    series = {"0020000E": header.SeriesInstanceUID, "00080060": "CT", "00201209": len(archive.instances)}
    report = {"0020000E": "1.2.3", "00080060": "SR", "00201209": 1}
    uid = header.SOPInstanceUID
    header = header.to_json_dict(bulk_data_threshold=0, bulk_data_element_handler=lambda element: "http://none")
    archive.answers |= {
        f"{archive.study}/series": dicom_json(series, report),
        f"{archive.series}/instances": dicom_json({"00080018": uid}),
        f"{archive.series}/instances/{uid}/metadata": Answer(body=json.dumps([header]).encode()),
        archive.series: multipart(archive.instances),
    }


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "fetched"
    folder.mkdir()
    return folder

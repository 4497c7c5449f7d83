"""Real software: an Orthanc of the tests' own, the programs of Debian and of dcmqi, and series to show them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pydicom
import pytest
import requests
from dicomweb_client.api import DICOMwebClient

from pipeline.export.dicom import SegOptions, plan_seg, read_source, write_seg, write_sr
from pipeline.export.measurements import measure
from pipeline.export.provenance import BundleIdentity
from pipeline.phantom import LESION_LABELS, Phantom, PhantomSpec, make_phantom
from pipeline.phantom.dicom import write_series
from tests.acceptance.programs import absent, free_port, installed, serving
from transforms.reading import Volume, read_ct

DICOMWEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
BUNDLE = BundleIdentity(name="ct_lesion_segmentation", version="1.0.0", weights_hash="sha256:" + "0" * 64)
CLASSES = {"background": 0, **LESION_LABELS}

Planes = dict[str, np.ndarray]
"""Slices `(rows, columns)` by the UID of the DICOM instance that has them: the truth that no reader has a part in."""


class Masks(NamedTuple):
    """Labels and lungs, slice by slice."""

    labels: Planes
    lungs: Planes


class View(NamedTuple):
    """How a phantom is cut into slices: where its axes point, and which of them are rows, columns and slices."""

    orientation: str
    axes: tuple[int, int, int] = (0, 1, 2)
    oblique_degrees: float = 0.0
    patient_position: str = "HFS"


VIEWS = {
    "axial": View("LPS"),
    "oblique": View("LPS", oblique_degrees=20.0),
    "reversed": View("LPI"),
    "sagittal": View("RPI", axes=(1, 2, 0)),
    "sagittal from the left": View("LPI", axes=(1, 2, 0)),
    "coronal": View("LPI", axes=(0, 2, 1)),
    "oblique sagittal": View("RPI", axes=(1, 2, 0), oblique_degrees=20.0),
    "prone": View("RAS", patient_position="HFP"),
    "feet first": View("RPS", patient_position="FFS"),
}


@dataclass(frozen=True)
class Series:
    """A phantom as slices in a folder, and the truth on the grid that it was made on."""

    phantom: Phantom
    folder: Path

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.dcm"))

    @property
    def masks(self) -> Masks:
        """Labels and lungs, slice by slice."""
        return Masks(self.planes(self.phantom.labels), self.planes(self.phantom.lungs))

    def planes(self, array: np.ndarray) -> Planes:
        """The slices of an array of the phantom."""
        headers = [pydicom.dcmread(path, specific_tags=["SOPInstanceUID"]) for path in self.files]
        return {header.SOPInstanceUID: array[:, :, index].T for index, header in enumerate(headers)}


@pytest.fixture(scope="session")
def series_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Series]:
    """A function that writes a coarse phantom as one of `VIEWS`, once a session; never to be changed."""
    folder, written = tmp_path_factory.mktemp("series"), dict[str, Series]()

    def write(name: str) -> Series:
        if name not in written:
            series = Series(cut(VIEWS[name]), folder / name.replace(" ", "_"))
            series.folder.mkdir()
            write_series(series.folder, series.phantom)
            for path in series.files:
                dataset = pydicom.dcmread(path)
                dataset.PatientPosition = VIEWS[name].patient_position
                dataset.save_as(path)
            written[name] = series
        return written[name]

    return write


def cut(view: View) -> Phantom:
    """The phantom, sliced as a view says: its axes flipped and exchanged, never resampled."""
    scanned = scan(view.oblique_degrees)
    spec = replace(scanned.spec, orientation=view.orientation)
    flipped = [axis for axis in range(3) if spec.orientation[axis] != scanned.spec.orientation[axis]]
    hu, labels, lungs = (
        np.flip(array, flipped).transpose(view.axes) for array in (scanned.hu, scanned.labels, scanned.lungs)
    )
    return Phantom(spec=spec, hu=hu, labels=labels, lungs=lungs, affine=spec.affine[:, [*view.axes, 3]])


@cache
def scan(oblique_degrees: float) -> Phantom:
    """A coarse phantom whose axes have different lengths and spacings, so that none is taken for another."""
    shape, spacing = (44, 40, 36), (8.5, 8.25, 8.0)
    return make_phantom(PhantomSpec(seed=1, shape=shape, spacing_mm=spacing, oblique_degrees=oblique_degrees))


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """A function that gives the path of a program, or ends the test with what to install."""
    return installed


@pytest.fixture(scope="session")
def run_program() -> Callable[..., subprocess.CompletedProcess[str]]:
    """A function that runs a program with arguments."""

    def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [installed(name), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=120)

    return run


@dataclass(frozen=True)
class Archive:
    """A DICOM archive, spoken to as a hospital's would be: DICOMweb, and Orthanc's own zip of a study."""

    url: str

    @property
    def dicomweb(self) -> DICOMwebClient:
        return DICOMwebClient(f"{self.url}/dicom-web")

    def store(self, paths: Iterable[Path]) -> None:
        """STOW-RS of files."""
        answer = self.dicomweb.store_instances([pydicom.dcmread(path) for path in paths])
        assert not answer.get("FailedSOPSequence")

    def fetch_series(self, member: Path, folder: Path) -> Path:
        """WADO-RS of the series that a file belongs to, as it is stored, a file an instance."""
        folder.mkdir()
        header, as_stored = pydicom.dcmread(member, stop_before_pixels=True), (("application/dicom", "*"),)
        uids = header.StudyInstanceUID, header.SeriesInstanceUID
        for dataset in self.dicomweb.retrieve_series(*uids, media_types=as_stored):
            dataset.save_as(folder / f"{dataset.SOPInstanceUID}.dcm", enforce_file_format=True)
        return folder

    def fetch_zip(self, path: Path) -> Path:
        """The only study, as the zip that a user downloads."""
        (study,) = requests.get(f"{self.url}/studies", timeout=10).json()
        path.write_bytes(requests.get(f"{self.url}/studies/{study}/archive", timeout=60).content)
        return path

    def empty(self) -> None:
        for study in requests.get(f"{self.url}/studies", timeout=10).json():
            requests.delete(f"{self.url}/studies/{study}", timeout=10).raise_for_status()


@pytest.fixture(scope="session")
def running_orthanc() -> Callable[[Path], object]:
    """A context manager that runs an Orthanc on loopback, with its data in a folder, and yields its address."""
    return orthanc_in


@pytest.fixture(scope="session")
def orthanc_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with orthanc_in(tmp_path_factory.mktemp("orthanc")) as url:
        yield url


@pytest.fixture
def archive(orthanc_url: str) -> Iterator[Archive]:
    """The session's Orthanc, empty before and after."""
    archive = Archive(orthanc_url)
    archive.empty()
    yield archive
    archive.empty()


@contextmanager
def orthanc_in(folder: Path) -> Iterator[str]:
    if not DICOMWEB_PLUGIN.exists():
        absent("Orthanc's DICOMweb plugin", "apt-get install orthanc orthanc-dicomweb")
    port = free_port()
    configuration = {
        "HttpPort": port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [str(DICOMWEB_PLUGIN)],
        "SaveJobs": False,
    }
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    command = [installed("Orthanc"), folder / "orthanc.json"]
    url = f"http://127.0.0.1:{port}"
    with serving(command, f"{url}/system", folder / "orthanc.log"):
        yield url


class Results(NamedTuple):
    """What was written of a series: DICOM SEG and SR."""

    seg: Path
    sr: Path


@pytest.fixture
def results_of(tmp_path: Path) -> Callable[..., Results]:
    """A function that reads a series, and writes SEG (with options) and SR of it."""

    def write(folder: Path, masks: Masks, **options: str) -> Results:
        volume = read_ct(folder)
        label_map, lungs = (np.stack([mask[uid].T for uid in uids_of(volume)], axis=-1) for mask in masks)
        source = read_source(volume.meta(), volume.affine, volume.array.shape)
        plan = plan_seg(CLASSES, with_lungs=True, options=SegOptions(**options))
        results = Results(tmp_path / "labels.seg.dcm", tmp_path / "measurements.sr.dcm")
        write_seg(results.seg, label_map, source, plan, bundle=BUNDLE, lungs=lungs)
        measured = measure(label_map, volume.array, lungs, volume.affine, CLASSES)
        write_sr(results.sr, measured, source, plan, bundle=BUNDLE)
        return results

    return write


def uids_of(volume: Volume) -> list[str]:
    """The slices' instances, in volume order."""
    return [pydicom.dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID for path in volume.source_files]

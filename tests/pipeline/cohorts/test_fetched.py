"""Series of an archive as cases: fetched when their turn comes, gone when they are done, named by their address."""

import tempfile
from pathlib import Path

import pytest
from monai.engines.utils import IterationEvents
from monai.inferers import SimpleInferer
from monai.transforms import Compose, Lambdad
from torch import nn
from torch.utils.data import DataLoader

from pipeline.cohorts import CaseDataset, CaseEvaluator
from pipeline.datasets import find_cases
from tests.pipeline.dicomweb.conftest import Answer, archive, slices  # noqa: F401
from transforms import LoadCTd
from transforms.errors import ArchiveError, GeometryError, NotFoundError, SettingError


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def series_folders(temporary):
    return [path for root in temporary.iterdir() for path in root.iterdir()]


def test_a_series_is_read_and_called_by_its_address(archive, temporary):  # noqa: F811
    (case,) = find_cases(str(archive.address))
    assert case.name == archive.address.series_uid
    dataset = CaseDataset([case], Compose([LoadCTd("image")]))  # the folders go with it
    item = dataset[0]
    assert "failure" not in item, item["failure"].error
    assert item["image"].meta["filename_or_obj"] == str(archive.address)
    assert set(item["seconds"]) == {"fetch", "read"}
    assert [item["fetched"].folder] == series_folders(temporary)
    item["fetched"].remove()
    assert series_folders(temporary) == []


def test_nothing_is_asked_of_a_named_series_before_its_turn(archive):  # noqa: F811
    find_cases(str(archive.address))
    assert archive.asked == []


def test_a_study_is_searched(archive):  # noqa: F811
    study = str(archive.address).partition("/series/")[0]
    assert [case.address for case in find_cases(study)] == [str(archive.address)]
    assert [case.address for case in find_cases(study, series_uid="1.9")] == [f"{study}/series/1.9"]
    with pytest.raises(NotFoundError, match="other than the one asked for"):
        find_cases(str(archive.address), series_uid="1.9")


def test_what_cannot_be_fetched_is_a_failure_and_leaves_nothing(archive, temporary):  # noqa: F811
    archive.answers[archive.series] = Answer(kind=archive.answers[archive.series].kind, body=b"x" * 100, cut=10)
    item = CaseDataset(find_cases(str(archive.address)), Compose([LoadCTd("image")]))[0]
    assert isinstance(item["failure"].error, ArchiveError)
    assert series_folders(temporary) == []


def test_a_study_that_cannot_be_searched_is_a_failure_beside_the_others(archive, temporary):  # noqa: F811
    archive.answers[f"{archive.study}/series"] = Answer(status=401)
    study = str(archive.address).partition("/series/")[0]
    (case,) = find_cases(study)
    item = CaseDataset([case], Compose([LoadCTd("image")]))[0]
    assert isinstance(item["failure"].error, ArchiveError)
    assert item["case"] == archive.address.study_uid


def test_an_error_of_reading_names_the_address_and_not_the_folder(archive, temporary):  # noqa: F811
    def read(path):
        raise GeometryError("the slices are not evenly spaced", where=Path(path) / "000001.dcm")

    item = CaseDataset(find_cases(str(archive.address)), Compose([Lambdad("image", read)]))[0]
    error = item["failure"].error
    assert isinstance(error, GeometryError)
    assert error.where == f"{archive.address}/000001.dcm"
    assert series_folders(temporary) == []


def test_a_password_in_an_address_is_refused_at_once():
    with pytest.raises(SettingError) as caught:
        find_cases("https://someone:secret@host/dicom-web/studies/1.2")
    assert "secret" not in str(caught.value)


def test_the_folder_is_there_until_the_case_is_done(archive, temporary):  # noqa: F811
    seen = []

    class Handler:
        def attach(self, engine):
            engine.add_event_handler(IterationEvents.MODEL_COMPLETED, lambda engine: seen.extend(files_in(temporary)))

    unknown = str(archive.address).replace(str(archive.address.series_uid), "1.9")
    cases = find_cases([str(archive.address), unknown])
    dataset = CaseDataset(cases, Compose([LoadCTd("image")]))
    run = CaseEvaluator(
        "cpu", DataLoader(dataset, batch_size=None), nn.Identity(), inferer=SimpleInferer(), val_handlers=[Handler()]
    )
    run.run()
    assert [failure.case for failure in run.failures] == ["1.9"]
    assert len(seen) == len(archive.instances)
    assert series_folders(temporary) == []


def files_in(temporary):
    return [file for folder in series_folders(temporary) for file in folder.iterdir()]

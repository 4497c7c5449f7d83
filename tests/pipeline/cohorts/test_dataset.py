"""Cases are read one at a time; one that cannot be read is handed on as its failure."""

from pathlib import Path

import pytest
import torch
from monai.transforms import Compose, Lambdad

from pipeline.cohorts import CaseDataset
from pipeline.cohorts.failures import Failure
from pipeline.datasets.studies import Case
from transforms.errors import UnreadableError


def read(path):
    if path == "broken":
        raise UnreadableError("it is cut short", where=path)
    return torch.ones(1)


CHAIN = Compose([Lambdad("image", read)])


def test_a_case_is_read_with_its_name_and_its_seconds():
    item = CaseDataset([Case(name="a", path=Path("there"))], CHAIN)[0]
    assert item["case"] == "a"
    assert torch.equal(item["image"], torch.ones(1))
    assert 0 < item["seconds"]["read"] < 10


def test_a_case_that_cannot_be_read_is_its_failure():
    data = CaseDataset([{"case": "a", "image": "broken"}, {"case": "b", "image": "there"}], CHAIN)
    failure = data[0]["failure"]
    assert isinstance(failure, Failure)
    assert failure.case == data[0]["case"] == "a"
    assert isinstance(failure.error, UnreadableError)  # not MONAI's RuntimeError around it
    assert str(failure.error) == "broken: it is cut short."
    assert "failure" not in data[1]


def test_a_bug_is_a_failure_too():
    data = CaseDataset([{"case": "a", "image": "x"}], Compose([Lambdad("image", lambda path: 1 / 0)]))
    assert "failure" in data[0]


def test_a_failure_crosses_processes():
    data = CaseDataset([{"case": "a", "image": "broken"}], CHAIN)
    (item,) = torch.utils.data.DataLoader(data, batch_size=None, num_workers=1)
    assert isinstance(item["failure"].error, UnreadableError)


@pytest.mark.parametrize(("item", "name"), [({"image": "x.nii"}, "x.nii"), ({}, "case")])
def test_a_case_without_a_name_is_called_by_its_image(item, name):
    assert CaseDataset([item], Compose([Lambdad("image", str, allow_missing_keys=True)]))[0]["case"] == name


def test_the_callers_list_is_not_changed():
    items = [{"case": "a", "image": "there"}]
    CaseDataset(items, CHAIN)[0]
    assert items == [{"case": "a", "image": "there"}]
